package import MailTypes
import Postgres
import Vault

extension DeliveryStore {
    /// Commits journal groups of several batches in one statement and moves the counters with them.
    ///
    /// At most one group a batch in a call. After an error append the same groups again: those that were committed do
    /// not count twice (see ``JournalGroup``). A group without entries asks for the state only.
    ///
    /// - Returns: the state of each batch. `.lost`: nothing of its group was committed.
    @concurrent
    package func append(node: String, _ groups: [JournalGroup]) async throws -> [BatchID: LeaseState] {
        var states: [BatchID: LeaseState] = [:]
        var arrays = JournalArrays()
        var batches: [BatchID] = []
        for group in groups {
            precondition(states.updateValue(.lost, forKey: group.batch) == nil, "one group a batch")
            guard let sealed = try await seal(group) else { continue }
            arrays.append(group, sealed: sealed)
            batches.append(group.batch)
        }
        guard !batches.isEmpty else { return states }
        let keys = BatchKeys(batches)
        let rows = try await journal.query(
            """
            SELECT place, standing FROM append_journal(
                \(node), \(keys.accounts), \(keys.campaigns), \(keys.numbers), \(arrays.epochs), \(arrays.numbers),
                \(arrays.sealed), \(arrays.delivered), \(arrays.bounced), \(arrays.expired), \(arrays.suppressed),
                \(arrays.invalid), \(arrays.cancelled), \(arrays.inDoubt), \(arrays.deferred), \(arrays.resent))
            """)
        for row in rows {
            let (place, state) = try row.decode(Int32.self, Int16.self)
            guard let work = LeaseState.Work(rawValue: state) else { throw OctetReader.malformed }
            states[batches[Int(place) - 1]] = .leased(work)
        }
        return states
    }

    /// Nil once the campaign's key is gone: the batch cannot be held any more.
    private func seal(_ group: JournalGroup) async throws -> [UInt8]? {
        guard !group.entries.isEmpty else { return [] }
        return try await vault.keyOfLeased(group.batch)?.sealJournal(group)
    }
}

/// The columns of journal groups as parallel arrays.
private struct JournalArrays {
    var epochs: [Int64] = []
    var numbers: [Int64] = []
    var sealed: [[UInt8]] = []
    var delivered: [Int32] = []
    var bounced: [Int32] = []
    var expired: [Int32] = []
    var suppressed: [Int32] = []
    var invalid: [Int32] = []
    var cancelled: [Int32] = []
    var inDoubt: [Int32] = []
    var deferred: [Int32] = []
    var resent: [Int32] = []

    mutating func append(_ group: JournalGroup, sealed octets: [UInt8]) {
        let change = CounterChange(group.entries)
        epochs.append(group.epoch)
        numbers.append(group.number)
        sealed.append(octets)
        delivered.append(change[.delivered])
        bounced.append(change[.bounced])
        expired.append(change[.expired])
        suppressed.append(change[.suppressed])
        invalid.append(change[.invalid])
        cancelled.append(change[.cancelled])
        inDoubt.append(change[.inDoubt])
        deferred.append(change.deferred)
        resent.append(change.inDoubtResent)
    }
}
