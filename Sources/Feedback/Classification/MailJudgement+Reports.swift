import MailMessage
import MailTypes

extension MailJudgement {
    /// A delivery status notification. Of several recipients those that failed count; if none has, those that wait.
    mutating func reported(_ status: DeliveryStatus, _ notice: NoticeReader) -> MailClassification {
        // Who was mailed at such an address was not mailed by us. A final address alone may be where a mail of ours was
        // passed on to.
        guard !status.recipients.allSatisfy({ $0.original != nil && $0.isLocal }) else {
            return nothing(nil, "a delivery status (RFC 3464) of mail that never left its host")
        }
        let actions = status.recipients.map { action(of: $0, notice) }
        let kind: DeliveryStatus.Action =
            actions.contains(.failed) ? .failed : actions.contains(.delayed) ? .delayed : .delivered
        note("a delivery status (RFC 3464) of \(status.recipients.count), \(kind)")
        var recipients: [RecipientClassification] = []
        var seen: Set<String> = []
        for (recipient, action) in zip(status.recipients, actions) {
            guard action != .delivered || kind == .delivered else { continue }
            let found = classification(of: recipient, action, notice, isOnly: status.recipients.count == 1)
            guard seen.insert(found.address?.lowercased() ?? "").inserted else { continue }
            recipients.append(found)
        }
        switch kind {
        case .failed: return classification(.bounce, recipients)
        case .delayed: return classification(.delayed, recipients)
        case .delivered: return classification(.notABounce, recipients.map { .other($0.address, .delivered) })
        }
    }

    private func action(of recipient: DeliveryStatus.Recipient, _ notice: NoticeReader) -> DeliveryStatus.Action {
        if let action = recipient.action { return action }
        switch recipient.status?.statusClass {
        case 2: return .delivered
        case 4: return notice.marks.contains(.textDelayed) && !notice.marks.contains(.textFinal) ? .delayed : .failed
        default: return .failed
        }
    }

    private func classification(
        of recipient: DeliveryStatus.Recipient, _ action: DeliveryStatus.Action, _ notice: NoticeReader, isOnly: Bool
    ) -> RecipientClassification {
        var reader = RefusalReader(isPermanent: action == .failed)
        reader.read(status: recipient.status)
        reader.read(recipient.diagnostic, recipient.diagnostic.indices)
        reader.read(recipient.statusText, recipient.statusText.indices)
        let contexts = notice.contexts(of: [recipient.final, recipient.original].compactMap(\.self))
        for context in contexts { reader.read(notice.text, context) }
        if contexts.isEmpty, isOnly { reader.read(notice.text, notice.octetRange(notice.lines.indices)) }
        reader.readCodes()
        let address = recipient.address ?? (isOnly ? fallbackAddress(notice) : nil)
        return reader.classification(of: address)
    }

    /// A read receipt (RFC 8098); where a mail server says in that form that it has refused the mail, a bounce.
    mutating func disposed(_ disposition: ReportFields, _ notice: NoticeReader) -> MailClassification {
        let value = disposition.first("disposition") ?? []
        let isDeleted = value.indices.contains { value.holds("deleted", at: $0, before: value.count) }
        let address = (disposition.first("original-recipient") ?? disposition.first("final-recipient")).flatMap {
            AddressScanner.first(in: $0)
        }
        guard isDeleted, notice.marks.contains(.textRejected), !notice.marks.contains(.textUnread) else {
            note("a read receipt (RFC 8098)")
            return classification(.notABounce, [.other(address, .readReceipt)])
        }
        note("a refusal in the form of a read receipt")
        var reader = RefusalReader(isPermanent: true)
        reader.read(notice.text, notice.octetRange(notice.lines.indices))
        return classification(.bounce, [reader.classification(of: address)])
    }

    mutating func notified(_ event: ProviderNotification, _ notice: NoticeReader) -> MailClassification {
        note("an event of Amazon SES by mail, \(event.event.rawValue)")
        switch event.event {
        case .complaint: return complained(type: "abuse", event.recipients.map(\.address))
        case .delivery: return classification(.notABounce, event.recipients.map { .other($0.address, .delivered) })
        case .bounce:
            return classification(
                .bounce,
                event.recipients.map { recipient in
                    var reader = RefusalReader(isPermanent: event.isPermanent)
                    reader.read(status: EnhancedStatusCode(leading: recipient.status))
                    reader.read(recipient.diagnostic, recipient.diagnostic.indices)
                    reader.readCodes()
                    return reader.classification(of: recipient.address)
                })
        }
    }
}
