import MailMessage
import MailTypes

extension MailJudgement {
    mutating func complained(_ report: ComplaintReport) -> MailClassification {
        note("a feedback report (RFC 5965), type \(report.feedbackType)")
        let original = evidence.returnedMail?.header
        let to = [original?.first("x-hmxmroriginalrecipient"), original?.first("to")].lazy.compactMap(\.self)
            .compactMap { AddressScanner.first(in: $0) }.first
        return complained(
            type: report.feedbackType, report.recipients.isEmpty ? [to].compactMap(\.self) : report.recipients)
    }

    mutating func complained(_ form: ComplaintForm) -> MailClassification {
        note("a provider's own complaint form")
        return complained(type: "abuse", form.recipients)
    }

    /// A failed authentication and a mail that is no spam are no wish to be left alone.
    func complained(type: String, _ addresses: [String]) -> MailClassification {
        let isWish = !["auth-failure", "not-spam"].contains(type)
        let addresses: [String?] = addresses.isEmpty ? [nil] : addresses
        return classification(
            .complaint,
            addresses.map { address in
                RecipientClassification(
                    address: address, enhanced: nil, smtpCode: nil, hardness: .no, reason: type, replyClass: .other,
                    consequence: isWish ? .suppress : type == "auth-failure" ? .tellOperator : .nothing, rule: nil,
                    phrase: nil)
            })
    }
}

/// Complaints that are no feedback report: what Hotmail sent for years, and forms like it, with the mail attached.
struct ComplaintForm {
    let recipients: [String]

    init?(_ evidence: MailEvidence, _ notice: NoticeReader) {
        let header = evidence.mail.header
        let original = evidence.returnedMail?.header
        var subject = ReplyText()
        if let text = header.text("subject") { subject.append(text, text.indices) }
        let marks = NoticeTable.notices.marks(in: subject.words, subject.words.indices).union(notice.marks)
        let named = original?.first("x-hmxmroriginalrecipient")
        guard named != nil || (marks.contains(.textComplaint) && original != nil) else { return nil }
        recipients = (named ?? original?.first("to")).flatMap { AddressScanner.first(in: $0) }.map { [$0] } ?? []
    }
}
