import MailMessage
import MailTypes

/// Tells what a mail that came back is, whom it is about, and what follows.
///
/// Formats are believed before words: a complaint report, a delivery status, a read receipt say what they are. What is none
/// of these is judged by who sent it, by its subject and by its text (`notices.yaml`), and why a recipient was refused by the
/// same rules as replies (`replies.yaml`).
package enum MailClassifier {
    /// - Parameters:
    ///   - octets: the mail as it came, with or without an mbox line, with LF or CR LF
    ///   - explaining: the steps are written down; costs time, and they may quote the mail
    package static func classify(_ octets: [UInt8], explaining: Bool = false) -> MailClassification {
        var judgement = MailJudgement(MailEvidence(ReceivedMail(octets)), explaining: explaining)
        return judgement.verdict()
    }
}

/// One mail on its way to a verdict.
struct MailJudgement {
    let evidence: MailEvidence
    private let isExplaining: Bool
    private var steps: [String] = []

    init(_ evidence: MailEvidence, explaining: Bool) {
        self.evidence = evidence
        isExplaining = explaining
    }

    mutating func note(_ step: @autoclosure () -> String) {
        if isExplaining { steps.append(step()) }
    }

    var header: ReceivedHeader { evidence.mail.header }

    mutating func verdict() -> MailClassification {
        if let complaint = evidence.complaint { return complained(complaint) }
        let notice = NoticeReader(evidence.notice)
        if let status = evidence.status { return reported(status, notice) }
        if let disposition = evidence.disposition { return disposed(disposition, notice) }
        if let report = aggregateReport() { return nothing(report, "an aggregate report") }
        if let event = ProviderNotification(notice.text) { return notified(event, notice) }
        if let start = notice.statusStart, let status = DeliveryStatus(Array(notice.text[start...])) {
            note("fields of a delivery status stand in the text")
            return reported(status, notice)
        }
        if let form = ComplaintForm(evidence, notice) { return complained(form) }
        return judged(notice)
    }

    func classification(_ kind: FeedbackKind, _ recipients: [RecipientClassification]) -> MailClassification {
        MailClassification(kind: kind, recipients: recipients, steps: steps)
    }

    mutating func nothing(_ reason: FeedbackReason?, _ step: String) -> MailClassification {
        note(step)
        guard let reason else { return classification(.notABounce, []) }
        return classification(.notABounce, [.other(nil, reason)])
    }

    /// DMARC (RFC 7489 §7.2) or TLS (RFC 8460 §3)
    private func aggregateReport() -> FeedbackReason? {
        if evidence.isTLSReport || evidence.mail.root.contentType.reportType == "tlsrpt"
            || header.has("tls-report-domain")
        {
            return .tlsReport
        }
        guard evidence.hasArchive, let subject = header.text("subject") else { return nil }
        var words = ReplyText()
        words.append(subject, subject.indices)
        return words.contains("report domain ") || (words.contains("dmarc ") && words.contains("report"))
            ? .dmarcReport : nil
    }
}

extension RecipientClassification {
    /// Of a mail that reports no refusal.
    static func other(_ address: String?, _ reason: FeedbackReason) -> RecipientClassification {
        RecipientClassification(
            address: address, enhanced: nil, smtpCode: nil, hardness: .no, reason: reason.rawValue, replyClass: .other,
            consequence: .nothing, rule: nil, phrase: nil)
    }
}
