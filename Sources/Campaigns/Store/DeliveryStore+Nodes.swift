package import Fleet
import Logging
package import MailTypes
import Postgres
import Vault

extension DeliveryStore {
    /// Begins the run of this process under the node's name: leases of earlier ones end, so that their batches can be
    /// claimed at once. Call it after ``FleetStore/register(node:)`` and before the first claim.
    ///
    /// - Parameters: as of ``FleetStore/beginIncarnation(of:sources:addresses:on:)``.
    /// - Returns: the incarnation's name, unlike any other.
    @discardableResult
    package func beginIncarnation(
        of node: String, sources: [NodeSource] = [], addresses: [IPAddress] = []
    ) async throws -> String {
        try await records.withTransaction { connection in
            let incarnation = try await FleetStore.beginIncarnation(
                of: node, sources: sources, addresses: addresses, on: connection)
            try await connection.query("SELECT free_leases(\(node))")
            try await CampaignChannel.notifyWork(on: connection)
            return incarnation
        }
    }

    /// Batches under a lease that holds, by the node that has them.
    package func leasedBatches() async throws -> [String: Int] {
        let rows = try await records.query(
            """
            SELECT lease_node, count(*) FROM batches
            WHERE lease_node IS NOT NULL AND lease_until > clock_timestamp() GROUP BY lease_node
            """)
        return try rows.reduce(into: [:]) { counts, row in
            let (node, count) = try row.decode(String.self, Int64.self)
            counts[node] = Int(count)
        }
    }

    // MARK: What an earlier incarnation left

    /// What came of taking over an earlier incarnation's batches.
    package struct TakeOver: Sendable {
        /// That were held and that nobody has claimed since.
        package var batches = 0
        /// What is known of these could not be journalled.
        package var left: [BatchID] = []
    }

    /// Claims anew the batches that an earlier incarnation held and nobody has claimed since, and journals what is known of
    /// them. One transaction: should it fail, it is as if nothing had begun. The epoch rises, so what that incarnation still
    /// has under way at the server changes nothing any more.
    ///
    /// - Parameters:
    ///   - mayLeave: commits although some of it could not be journalled, say because somebody has locked a campaign.
    ///   - known: entries of a batch, asked for with the epoch at which it was held and with the recipients whose intent is
    ///     followed by nothing, each with the epoch of the intent.
    /// - Returns: nil where something would have been left; nothing was changed.
    package func takeOver(
        node: String, mayLeave: Bool,
        known: (BatchID, _ epoch: Int64, _ open: [Int32: Int64]) async throws -> [JournalEntry]
    ) async throws -> TakeOver? {
        do {
            return try await records.withTransaction { connection in
                let held = try await connection.query(
                    """
                    SELECT account_id, campaign_id, batch_no, epoch
                    FROM take_over_leases(\(node), \(Self.recoverySeconds))
                    """
                ).map { row in
                    let (account, campaign, number, epoch) = try row.decode(
                        Int64.self, Int64.self, Int32.self, Int64.self)
                    return (batch: BatchID(account, campaign, number), epoch: epoch)
                }
                var taken = TakeOver(batches: held.count)
                for (batch, epoch) in held {
                    let entries = try await openEntries(of: batch, epoch - 1, known, on: connection)
                    let group = JournalGroup(batch: batch, epoch: epoch, entries: entries)
                    if !entries.isEmpty, try await !append(node: node, alone: group, on: connection) {
                        taken.left.append(batch)
                    }
                }
                guard mayLeave || taken.left.isEmpty else { throw TakeOverBlocked() }
                return taken
            }
        } catch is TakeOverBlocked {
            return nil
        }
    }

    private struct TakeOverBlocked: Error {}

    private static let recoverySeconds: Double = 60

    private func openEntries(
        of batch: BatchID, _ epoch: Int64,
        _ known: (BatchID, _ epoch: Int64, _ open: [Int32: Int64]) async throws -> [JournalEntry],
        on connection: PostgresConnection
    ) async throws -> [JournalEntry] {
        do {
            let open = try await JournalReplay(vault: vault).openIntents(of: batch, on: connection)
            return open.isEmpty ? [] : try await known(batch, epoch, open)
        } catch let error where error is VaultError || error is CampaignError {
            // One batch that nobody can open must not keep the node from its other work.
            logger.error("batch not taken up", metadata: ["batch": "\(batch)", "error": "\(error)"])
            return []
        }
    }

    /// Appends a group so that its failure is no other's.
    private func append(
        node: String, alone group: JournalGroup, on connection: PostgresConnection
    ) async throws -> Bool {
        try await connection.query("SAVEPOINT one_group")
        do {
            let states = try await append(node: node, [group], on: connection)
            try await connection.query("RELEASE SAVEPOINT one_group")
            return states[group.batch]?.committed != nil
        } catch let error as PostgresError where error.isOfStatement {
            logger.error(
                "journal group not stored", metadata: ["batch": "\(group.batch)", "error": "\(error)"])
            try await connection.query("ROLLBACK TO SAVEPOINT one_group")
            return false
        }
    }
}
