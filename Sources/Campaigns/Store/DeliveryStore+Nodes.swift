import Postgres

extension DeliveryStore {
    /// Takes the node's name for this process and ends the leases that an earlier life of the node left, so that their
    /// batches can be claimed at once. Call it before the first claim.
    ///
    /// - Throws: ``NodeError/alreadyRunning`` while another process holds the name.
    package func register(node: String) async throws {
        let registration = try await NodeRegistration.take(node, records.configuration, logger: logger)
        do {
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
}
