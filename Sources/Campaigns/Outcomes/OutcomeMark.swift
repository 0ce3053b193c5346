import MailTypes
import Vault

/// Where an outcome stands among all of its campaign, and when it came.
///
/// Numbers are drawn under the campaign's lock, so they are committed in their order: who has seen one has seen all
/// before it.
struct OutcomeMark: Sendable, Hashable {
    /// Of the journal group that brought it; of the batch's end where none did.
    let number: Int64
    /// Among the outcomes of that group, from 1; 0 for the batch's end.
    let position: Int32
    /// Microseconds since 1970; nil where an earlier release did not note it.
    let microseconds: Int64?

    /// Those of the outcomes among some groups of one batch.
    static func marks(_ groups: [StoredJournalGroup]) -> [Int32: OutcomeMark] {
        var marks: [Int32: OutcomeMark] = [:]
        for group in groups {
            for (entry, mark) in group.outcomes { marks[entry.index] = mark }
        }
        return marks
    }
}

/// A journal group as it is stored, opened.
struct StoredJournalGroup: Sendable {
    let epoch: Int64
    let number: Int64
    let microseconds: Int64?
    let entries: [JournalEntry]

    /// Its final outcomes in their order.
    var outcomes: [(entry: JournalEntry, mark: OutcomeMark)] {
        var found: [(entry: JournalEntry, mark: OutcomeMark)] = []
        for entry in entries {
            guard case .outcome = entry.kind else { continue }
            let position = Int32(found.count) + 1
            found.append((entry, OutcomeMark(number: number, position: position, microseconds: microseconds)))
        }
        return found
    }
}

/// The stored form, before sealing: version, count, then of each outcome the recipient's index, number, position and time
/// (0 for none).
extension OutcomeMark {
    private static let version: UInt8 = 1

    static func encode(_ marks: [Int32: OutcomeMark]) -> [UInt8] {
        var writer = OctetWriter(reserving: 8 + marks.count * 20)
        writer.octet(version)
        writer.number(UInt64(marks.count))
        for (index, mark) in marks.sorted(by: { $0.key < $1.key }) {
            writer.index(index)
            writer.number(UInt64(bitPattern: mark.number))
            writer.number(UInt64(UInt32(bitPattern: mark.position)))
            writer.number(UInt64(bitPattern: mark.microseconds ?? 0))
        }
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8]) throws(CampaignError) -> [Int32: OutcomeMark] {
        var reader = OctetReader(bytes)
        guard try reader.octet() == version else { throw OctetReader.malformed }
        let count = try reader.number(Int.self)
        var marks: [Int32: OutcomeMark] = [:]
        for _ in 0..<count {
            let index = try reader.index()
            let number = Int64(bitPattern: try reader.number(UInt64.self))
            let position = Int32(bitPattern: try reader.number(UInt32.self))
            let time = Int64(bitPattern: try reader.number(UInt64.self))
            marks[index] = OutcomeMark(number: number, position: position, microseconds: time == 0 ? nil : time)
        }
        guard reader.isAtEnd else { throw OctetReader.malformed }
        return marks
    }
}

extension SealingKey {
    private func markContext(_ batch: BatchID) -> SealContext {
        SealContext(
            account: batch.account, campaign: batch.campaign, batch: batch.number, purpose: .results, label: "marks")
    }

    func sealMarks(_ marks: [Int32: OutcomeMark], of batch: BatchID) throws -> [UInt8] {
        try seal(OutcomeMark.encode(marks), as: markContext(batch))
    }

    func openMarks(_ sealed: [UInt8], of batch: BatchID) throws -> [Int32: OutcomeMark] {
        try OutcomeMark.decode(open(sealed, as: markContext(batch)))
    }
}
