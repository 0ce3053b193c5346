import Feedback
import MailTypes

/// The stored form, before sealing: version, epoch, then for each entry its index, a tag (kind, was deferred, has a
/// reply, finding of a bounce), the outcome if it is one, and the reply if there is one.
///
/// The tag's two highest bits hold the finding plus one. They are 0 in bounces of releases that did not journal it; of
/// those the reply's words have to tell.
extension JournalGroup {
    private static let version: UInt8 = 1

    private enum Tag {
        static let kind: UInt8 = 0x07
        static let wasDeferred: UInt8 = 0x08
        static let hasReply: UInt8 = 0x10
        static let findingShift: UInt8 = 6
    }

    package func encoded() -> [UInt8] {
        var writer = OctetWriter(reserving: 16 + entries.count * 16)
        writer.octet(Self.version)
        writer.number(UInt64(bitPattern: epoch))
        for entry in entries {
            writer.index(entry.index)
            let hasReply = entry.reply != .none
            writer.octet(
                entry.kind.tag | (entry.wasDeferred ? Tag.wasDeferred : 0) | (hasReply ? Tag.hasReply : 0)
                    | (entry.kind == .outcome(.bounced) ? (entry.finding.rawValue + 1) << Tag.findingShift : 0))
            if case .outcome(let outcome) = entry.kind { writer.octet(UInt8(outcome.rawValue)) }
            if hasReply { writer.reply(entry.reply) }
        }
        return writer.bytes
    }

    /// - Parameter epoch: of the row; the sealed data repeats it, so that rows cannot change places unseen.
    package static func entries(decoding bytes: [UInt8], epoch: Int64) throws(CampaignError) -> [JournalEntry] {
        var reader = OctetReader(bytes)
        guard try reader.octet() == version, try reader.number(UInt64.self) == UInt64(bitPattern: epoch) else {
            throw OctetReader.malformed
        }
        var entries: [JournalEntry] = []
        while !reader.isAtEnd {
            let index = try reader.index()
            let tag = try reader.octet()
            let kind = try JournalEntry.Kind(tag: tag & Tag.kind, from: &reader)
            let reply = tag & Tag.hasReply == 0 ? RecipientReply.none : try reader.reply()
            entries.append(
                JournalEntry(
                    index: index, kind: kind, reply: reply, wasDeferred: tag & Tag.wasDeferred != 0,
                    finding: try finding(tag >> Tag.findingShift, kind, reply)))
        }
        return entries
    }

    private static func finding(
        _ bits: UInt8, _ kind: JournalEntry.Kind, _ reply: RecipientReply
    ) throws(CampaignError) -> AddressFinding {
        guard kind == .outcome(.bounced) else { return .nothing }
        guard bits != 0 else { return reply.namesMissingMailbox ? .missing : .nothing }
        guard let finding = AddressFinding(rawValue: bits - 1) else { throw OctetReader.malformed }
        return finding
    }
}

extension JournalEntry.Kind {
    fileprivate var tag: UInt8 {
        switch self {
        case .intent: 0
        case .outcome: 1
        case .deferred: 2
        case .inDoubtResend: 3
        case .withdrawn: 4
        }
    }

    fileprivate init(tag: UInt8, from reader: inout OctetReader) throws(CampaignError) {
        switch tag {
        case 0: self = .intent
        case 1:
            guard let outcome = Outcome(rawValue: Int16(try reader.octet())) else { throw OctetReader.malformed }
            self = .outcome(outcome)
        case 2: self = .deferred
        case 3: self = .inDoubtResend
        case 4: self = .withdrawn
        default: throw OctetReader.malformed
        }
    }
}

extension RecipientReply {
    /// Whether the words say for good that there is no such mailbox, whatever command they answered.
    fileprivate var namesMissingMailbox: Bool {
        code != 0 && ReplyClassifier.classify(code: Int(code), enhanced: enhanced, text: text).suppresses
    }
}
