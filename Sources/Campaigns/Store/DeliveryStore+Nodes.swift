import Logging
package import MailTypes
import Postgres
import Vault

extension DeliveryStore {
    /// Takes the node's name for this process and ends the leases that an earlier life of the node left, so that their
    /// batches can be claimed at once. Call it before the first claim.
    ///
    /// - Parameter local: the node's own journal, from which the answers are taken up that its earlier life could not
    ///   commit any more.
    /// - Throws: ``NodeError/alreadyRunning`` while another process holds the name.
    package func register(node: String, recovering local: LocalJournal? = nil) async throws {
        let registration = try await NodeRegistration.take(node, records.configuration, logger: logger)
        do {
            if let local { try await recover(node: node, from: local) }
            try await records.withTransaction { connection in
                try await connection.query(
                    """
                    INSERT INTO nodes (node, started_at, seen_at)
                    VALUES (\(node), clock_timestamp(), clock_timestamp())
                    ON CONFLICT (node) DO UPDATE SET started_at = excluded.started_at, seen_at = excluded.seen_at
                    """)
                try await connection.query("SELECT free_leases(\(node))")
                try await CampaignChannel.notifyWork(on: connection)
            }
        } catch {
            await registration.end()
            throw error
        }
        registrations.add(registration, for: node)
    }

    /// Gives the name back. Leases stay until they run out or the name is registered again.
    package func unregister(node: String) async {
        await registrations.remove(node)?.end()
    }

    /// Journals what an earlier life of the node wrote into its own files and did not commit. Only batches that nobody
    /// has claimed since, and only recipients whose intent is open: anything else is known already, or another's.
    private func recover(node: String, from local: LocalJournal) async throws {
        let found = Dictionary(grouping: try local.records()) { $0.batch }
        let leases = found.compactMap { batch, records in records.map(\.epoch).max().map { (batch: batch, epoch: $0) } }
        guard !leases.isEmpty else { return local.forgetAll() }
        let keys = BatchKeys(leases.map(\.batch))
        let held = try await records.query(
            """
            SELECT place FROM adopt_leases(
                \(node), \(Self.recoverySeconds), \(keys.accounts), \(keys.campaigns), \(keys.numbers),
                \(leases.map(\.epoch)))
            """
        ).map { leases[Int(try $0.decode(Int32.self)) - 1] }
        let progress = try await records.withConnection { connection in
            try await JournalReplay(vault: vault).progress(of: held.map(\.batch), on: connection)
        }
        var groups: [JournalGroup] = []
        for (batch, epoch) in held {
            let key = try await vault.openingKey(batch.account, batch.campaign)
            let entries = (found[batch] ?? []).filter { $0.epoch == epoch }
                // A record whose end was torn off does not open.
                .flatMap { (try? key.openJournal($0.sealed, epoch: epoch, of: batch)) ?? [] }
                .filter { progress[batch]?[$0.index] == .intended }
            if !entries.isEmpty { groups.append(JournalGroup(batch: batch, epoch: epoch, entries: entries)) }
        }
        if !groups.isEmpty { _ = try await append(node: node, groups) }
        local.forgetAll()
        logger.notice(
            "answers of an earlier life taken up",
            metadata: ["count": "\(groups.reduce(0) { $0 + $1.entries.count })"])
    }

    private static let recoverySeconds: Double = 60

    /// Seals entries for the node's own journal.
    package func journalSealer(_ account: AccountID, _ campaign: CampaignID) async throws -> JournalSealer {
        JournalSealer(key: try await vault.campaignKey(account, campaign))
    }
}
