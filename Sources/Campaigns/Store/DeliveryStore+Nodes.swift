package import MailTypes
import Postgres
import Vault

extension DeliveryStore {
    /// Takes the node's name for this process.
    ///
    /// - Throws: ``NodeError/alreadyRunning`` while another process holds it.
    package func register(node: String) async throws {
        registrations.add(try await NodeRegistration.take(node, records.configuration, logger: logger), for: node)
    }

    /// Gives the name back. Leases stay until they run out or the node begins another incarnation.
    package func unregister(node: String) async {
        await registrations.remove(node)?.end()
    }

    /// Begins the run of this process under the node's name: leases of earlier ones end, so that their batches can be
    /// claimed at once. Call it after ``register(node:)`` and before the first claim.
    ///
    /// - Parameter sources: the addresses that its mail leaves from, for advice on DNS.
    /// - Returns: the incarnation's name, unlike any other.
    @discardableResult
    package func beginIncarnation(of node: String, sources: [IPAddress] = []) async throws -> String {
        let incarnation = String(UInt64.random(in: 0 ... .max), radix: 36)
        try await records.withTransaction { connection in
            try await connection.query(
                """
                INSERT INTO nodes (node, started_at, seen_at, life, sources)
                VALUES (
                    \(node), clock_timestamp(), clock_timestamp(), \(incarnation), \(sources.map(\.description)))
                ON CONFLICT (node) DO UPDATE
                SET started_at = excluded.started_at, seen_at = excluded.seen_at, life = excluded.life,
                    sources = excluded.sources
                """)
            try await connection.query("SELECT free_leases(\(node))")
            try await CampaignChannel.notifyWork(on: connection)
        }
        return incarnation
    }

    // MARK: What an earlier incarnation left

    /// The node's last incarnation; nil where there has been none.
    package func lastIncarnation(of node: String) async throws -> String? {
        try await records.query("SELECT life FROM nodes WHERE node = \(node)").first?.decode(String.self)
    }

    /// Takes back the batches that an earlier incarnation held and nobody has claimed since, for as long as it takes to
    /// journal what is known of them.
    package func adoptLeases(of node: String) async throws -> [(batch: BatchID, epoch: Int64)] {
        try await records.query(
            "SELECT account_id, campaign_id, batch_no, epoch FROM adopt_leases(\(node), \(Self.recoverySeconds))"
        ).map { row in
            let (account, campaign, number, epoch) = try row.decode(Int64.self, Int64.self, Int32.self, Int64.self)
            return (BatchID(account, campaign, number), epoch)
        }
    }

    private static let recoverySeconds: Double = 60

    /// The recipients of a batch whose intent is followed by nothing, each with the epoch of the intent.
    ///
    /// - Throws: ``CampaignError``, ``VaultError`` where the campaign's data cannot be read.
    package func openIntents(of batch: BatchID) async throws -> [Int32: Int64] {
        try await records.withConnection { connection in
            try await JournalReplay(vault: vault).openIntents(of: batch, on: connection)
        }
    }
}
