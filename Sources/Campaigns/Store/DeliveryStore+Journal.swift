package import MailTypes
import Postgres
import Vault
import Webhooks

extension DeliveryStore {
    /// Commits journal groups of several batches in one statement and moves the counters with them. Somebody who
    /// has locked a campaign is waited for briefly, and told of.
    ///
    /// At most one group a batch in a call. After an error append the same groups again: those that were committed do
    /// not count twice (see ``JournalGroup``). A group without entries asks for the state only.
    ///
    /// - Parameters:
    ///   - found: the groups' bounces and what they tell of addresses, by batch. It is acted on in the same transaction, for those
    ///     that are committed.
    ///   - deadAfter: campaigns that must find an address dead; 0 for never.
    ///   - impatient: batches whose campaign is not waited for at all, because it was in vain before.
    ///   - people: who the recipients of batches are, for events; what is missing is read from the batches.
    /// - Returns: what became of each group.
    @concurrent
    package func append(
        node: String, _ groups: [JournalGroup], found: [BatchID: [FoundAddress]] = [:], deadAfter: Int = 0,
        impatient: Set<BatchID> = [], people: [BatchID: RecipientLookUp] = [:]
    ) async throws -> [BatchID: LeaseState] {
        let sealed = try await seal(groups)
        guard !found.isEmpty || tells(groups) else {
            return try await journal.withConnection {
                try await append(node: node, groups, sealed, impatient: impatient, on: $0)
            }
        }
        // Almost always all of them are applied, and one round trip does for journal and events.
        if found.isEmpty, let told = try await events(of: groups, people) {
            do {
                return try await journal.withConnection {
                    try await append(node: node, groups, sealed, impatient: impatient, told: told, on: $0)
                }
            } catch let error as PostgresError where error.sqlState == Self.notAllApplied {}
        }
        return try await journal.withTransaction { connection in
            let states = try await append(node: node, groups, sealed, impatient: impatient, on: connection)
            let noted = found.filter { states[$0.key]?.committed != nil }
            if !noted.isEmpty {
                // A suppression of the customer's that is under way may have the rows.
                try await connection.query("SET LOCAL lock_timeout = \(unescaped: "\(Self.patience)")")
                try await note(noted.map { ($0.key.account, $0.value) }, deadAfter: deadAfter, on: connection)
            }
            try await tell(groups, states, people, on: connection)
            return states
        }
    }

    func append(
        node: String, _ groups: [JournalGroup], on connection: PostgresConnection
    ) async throws -> [BatchID: LeaseState] {
        let states = try await append(node: node, groups, try await seal(groups), impatient: [], on: connection)
        if tells(groups) { try await tell(groups, states, [:], on: connection) }
        return states
    }

    /// Milliseconds for which a call waits for others.
    private static let patience: Int32 = 100

    /// Of `commit_told_journal`: groups with events were not applied, and nothing was changed.
    private static let notAllApplied = SQLState(rawValue: "SL001")

    /// - Parameter told: events of groups, by batch.
    /// - Throws: ``PostgresError`` with ``notAllApplied`` unless each group with events is applied.
    private func append(
        node: String, _ groups: [JournalGroup], _ sealed: [[UInt8]?], impatient: Set<BatchID>,
        told: [BatchID: WebhookOutbox.Group] = [:], on connection: PostgresConnection
    ) async throws -> [BatchID: LeaseState] {
        var states: [BatchID: LeaseState] = [:]
        var arrays = JournalArrays()
        for (group, sealed) in zip(groups, sealed) {
            precondition(states.updateValue(.lost, forKey: group.batch) == nil, "one group a batch")
            if let sealed { arrays.append(group, waits: !impatient.contains(group.batch), sealed: sealed) }
        }
        guard !arrays.batches.isEmpty else { return states }
        let rows = try await connection.query(
            told.isEmpty ? arrays.commit(node, Self.patience) : try arrays.commit(node, Self.patience, told))
        for row in rows {
            let (place, answer, standing) = try row.decode(Int32.self, String.self, Int16?.self)
            states[arrays.batches[Int(place) - 1]] = try LeaseState(answer, standing)
        }
        return states
    }

    /// Nil where the campaign's key is gone: its batches cannot be held any more.
    private func seal(_ groups: [JournalGroup]) async throws -> [[UInt8]?] {
        var sealed: [[UInt8]?] = []
        for group in groups {
            sealed.append(
                group.entries.isEmpty ? [] : try await vault.keyOfLeased(group.batch)?.sealJournal(group))
        }
        return sealed
    }
}

/// The columns of journal groups as parallel arrays.
private struct JournalArrays {
    var batches: [BatchID] = []
    var epochs: [Int64] = []
    var numbers: [Int64] = []
    var begins: [Bool] = []
    var moves: [Bool] = []
    var waits: [Bool] = []
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

    mutating func append(_ group: JournalGroup, waits isPatient: Bool, sealed octets: [UInt8]) {
        let change = CounterChange(group.entries)
        batches.append(group.batch)
        epochs.append(group.epoch)
        numbers.append(group.number)
        begins.append(group.beginsMail)
        moves.append(change.movesCounters)
        waits.append(isPatient)
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
    func commit(_ node: String, _ patience: Int32) -> SQL {
        let keys = BatchKeys(batches)
        return """
            SELECT place, answer, standing FROM commit_journal(
                \(node), \(keys.accounts), \(keys.campaigns), \(keys.numbers), \(epochs), \(numbers),
                \(begins), \(moves), \(waits), \(patience), \(sealed), \(delivered), \(bounced), \(expired),
                \(suppressed), \(invalid), \(cancelled), \(inDoubt), \(deferred), \(resent))
            """
    }

    func commit(_ node: String, _ patience: Int32, _ told: [BatchID: WebhookOutbox.Group]) throws -> SQL {
        let keys = BatchKeys(batches)
        let events = try WebhookOutbox.Rows(batches.compactMap { told[$0] })
        return """
            SELECT place, answer, standing FROM commit_told_journal(
                \(node), \(keys.accounts), \(keys.campaigns), \(keys.numbers), \(epochs), \(numbers),
                \(begins), \(moves), \(waits), \(patience), \(sealed), \(delivered), \(bounced), \(expired),
                \(suppressed), \(invalid), \(cancelled), \(inDoubt), \(deferred), \(resent),
                \(batches.map { told[$0] != nil }), \(events.accounts), \(events.campaigns), \(events.types),
                \(events.counts), \(events.facts), \(events.privates))
            """
    }
}
