import Logging
package import MailTypes
import Postgres
import Vault

extension DeliveryStore {
    /// Leases due batches to the node: first those of the account that was served longest ago, then the next one's.
    ///
    /// A batch whose data cannot be opened is put off and logged; the others are not held up. Where the vault or the
    /// database cannot be asked at the moment, batches are given back at once. Accounts whose key is missing or wrong get
    /// nothing.
    ///
    /// - Parameters:
    ///   - leaseSeconds: how long the node may work on a batch without renewing
    ///   - limit: the most batches to lease; bounded by ``CampaignLimits/claimedBatches``
    ///   - waiting: accounts that get nothing now, because they have reached the cap of their rate; their expired
    ///     campaigns have to end all the same
    @concurrent
    package func claim(
        node: String, leaseSeconds: Int, limit: Int, waiting: [AccountID] = []
    ) async throws -> [ClaimedBatch] {
        let limit = Int32(min(limit, CampaignLimits.claimedBatches.upperBound))
        guard limit >= CampaignLimits.claimedBatches.lowerBound else { return [] }
        let excluded = waiting + stopped.accounts
        let leases = try await journal.withConnection { connection in
            let rows = try await connection.query(
                """
                SELECT account_id, campaign_id, batch_no, epoch, state, attempt
                FROM claim_batches(\(node), \(Double(leaseSeconds)), \(limit), \(excluded.map(\.rawValue)))
                """)
            var leases = try rows.map(Lease.init)
            if !waiting.isEmpty && leases.count < Int(limit) {
                leases += try await connection.query(
                    """
                    SELECT account_id, campaign_id, batch_no, epoch, state, attempt
                    FROM claim_expired(
                        \(node), \(Double(leaseSeconds)), \(limit - Int32(leases.count)), \(waiting.map(\.rawValue)))
                    """
                ).map(Lease.init)
            }
            return leases
        }
        guard !leases.isEmpty else { return [] }
        do {
            return try await journal.withConnection { connection in
                let opened = try await withKeys(leases, node: node, on: connection)
                guard !opened.isEmpty else { return [] }
                return try await load(try await start(opened, node: node, on: connection), node: node, on: connection)
            }
        } catch {
            await giveBack(leases, node: node, because: error)
            throw error
        }
    }

    /// Starts the campaigns of what was leased.
    ///
    /// - Returns: the leases without those that went back, because their campaign cannot go on at this moment.
    private func start(_ leases: [Lease], node: String, on connection: PostgresConnection) async throws -> [Lease] {
        let keys = BatchKeys(leases.map(\.batch))
        let places = try await connection.query(
            "SELECT place FROM begin_campaigns(\(keys.accounts), \(keys.campaigns))"
        ).map { Int(try $0.decode(Int32.self)) - 1 }
        guard !places.isEmpty else { return leases }
        try await giveBack(places.map { leases[$0] }, node: node, on: connection)
        let idle = Set(places)
        return leases.indices.filter { !idle.contains($0) }.map { leases[$0] }
    }

    /// In a task of its own, because this one may be cancelled. Where it fails, the leases run out.
    private func giveBack(_ leases: [Lease], node: String, because error: any Error) async {
        logger.warning("batches given back", metadata: ["count": "\(leases.count)", "error": "\(error)"])
        _ = await Task {
            try? await journal.withConnection { try await giveBack(leases, node: node, on: $0) }
        }.value
    }

    private func giveBack(_ leases: [Lease], node: String, on connection: PostgresConnection) async throws {
        let keys = BatchKeys(leases.map(\.batch))
        try await connection.query(
            """
            SELECT give_back(
                \(node), \(Self.givenBackSeconds), \(keys.accounts), \(keys.campaigns), \(keys.numbers),
                \(leases.map(\.epoch)))
            """)
    }

    /// After which a batch that was given back unopened is claimed again.
    private static let givenBackSeconds = 0.5

    /// Extends leases.
    ///
    /// - Returns: the batches that the node still holds. Forget the others.
    package func renew(
        node: String, _ leases: [(batch: BatchID, epoch: Int64)], leaseSeconds: Int
    ) async throws -> Set<BatchID> {
        guard !leases.isEmpty else { return [] }
        let keys = BatchKeys(leases.map(\.batch))
        let rows = try await journal.query(
            """
            SELECT place FROM renew_leases(
                \(node), \(Double(leaseSeconds)), \(keys.accounts), \(keys.campaigns), \(keys.numbers),
                \(leases.map(\.epoch)))
            """)
        return Set(try rows.map { leases[Int(try $0.decode(Int32.self)) - 1].batch })
    }

    /// Gives a batch back, to be claimed again after `dueInSeconds`. Nothing happens where the lease was lost.
    ///
    /// Journal the answers of all mails under way first; what is left open counts as in doubt.
    package func park(_ batch: BatchID, node: String, epoch: Int64, dueInSeconds: Double) async throws {
        try await records.withConnection { connection in
            try await park(batch, node: node, epoch: epoch, dueInSeconds: dueInSeconds, on: connection)
        }
    }

    private func park(
        _ batch: BatchID, node: String, epoch: Int64, dueInSeconds: Double, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            WITH parked AS (
                UPDATE batches
                SET lease_node = NULL, lease_until = NULL,
                    due_at = clock_timestamp() + make_interval(secs => \(max(0, dueInSeconds)))
                WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                    AND batch_no = \(batch.number) AND epoch = \(epoch) AND lease_node = \(node)
                    AND lease_until > clock_timestamp() AND state IN (1, 2, 4)
                RETURNING state, due_at)
            SELECT enqueue_account(\(batch.account.rawValue), due_at) FROM parked WHERE state IN (1, 4)
            """)
    }

    private struct Lease: Sendable {
        let batch: BatchID
        let epoch: Int64
        let work: LeaseState.Work
        let isRetry: Bool

        init(_ row: PostgresRow) throws {
            let (account, campaign, number, epoch, state, attempt) = try row.decode(
                Int64.self, Int64.self, Int32.self, Int64.self, Int16.self, Int32.self)
            guard let work = LeaseState.Work(rawValue: state) else { throw OctetReader.malformed }
            batch = BatchID(account, campaign, number)
            self.epoch = epoch
            self.work = work
            isRetry = attempt > 0
        }
    }

    /// Gives back what belongs to accounts whose key is missing or wrong, and leaves them out for a while: the log names
    /// each once in that time.
    private func withKeys(
        _ leases: [Lease], node: String, on connection: PostgresConnection
    ) async throws -> [Lease] {
        var left = leases
        for account in Set(leases.map(\.batch.account)) {
            do {
                _ = try await vault.accountKeys(account, on: connection)
            } catch let error as VaultError {
                stopped.add(account)
                logger.error("account stopped", metadata: ["account": "\(account)", "error": "\(error)"])
                left.removeAll { $0.batch.account == account }
                for lease in leases where lease.batch.account == account {
                    try await park(
                        lease.batch, node: node, epoch: lease.epoch, dueInSeconds: Self.stoppedAccountSeconds,
                        on: connection)
                }
            }
        }
        return left
    }

    private func load(
        _ leases: [Lease], node: String, on connection: PostgresConnection
    ) async throws -> [ClaimedBatch] {
        let keys = BatchKeys(leases.map(\.batch))
        let rows = try await connection.query(
            """
            SELECT k.place::integer, r.sealed, c.expires_at,
                coalesce(c.expires_at <= clock_timestamp(), false), c.rate_per_hour IS NOT NULL
            FROM unnest(\(keys.accounts), \(keys.campaigns), \(keys.numbers)) WITH ORDINALITY
                AS k (account_id, campaign_id, batch_no, place)
            JOIN campaigns c USING (account_id, campaign_id)
            JOIN batch_recipients r USING (account_id, campaign_id, batch_no)
            ORDER BY k.place
            """)
        let again = leases.filter { $0.epoch > 1 }.map(\.batch)
        var claimed: [ClaimedBatch] = []
        for row in rows {
            let (place, sealed, expiresAt, isExpired, isCapped) = try row.decode(
                Int32.self, [UInt8].self, PostgresTimestamp?.self, Bool.self, Bool.self)
            let lease = leases[Int(place) - 1]
            do {
                let key = try await vault.openingKey(lease.batch.account, lease.batch.campaign)
                var records = try key.openRecipients(sealed, of: lease.batch)
                // In place: what `filter` makes has grown by doubling.
                records.removeAll(where: \.isSuppressed)
                let known =
                    again.contains(lease.batch)
                    ? try await JournalReplay(vault: vault).progressAndResends(of: lease.batch, on: connection)
                    : (progress: [:], resends: [:])
                for place in records.indices { records[place].count(resends: known.resends[records[place].index] ?? 0) }
                claimed.append(
                    ClaimedBatch(
                        id: lease.batch, epoch: lease.epoch, work: lease.work, records: records,
                        progress: known.progress, isRetry: lease.isRetry,
                        campaignExpiresAt: expiresAt?.seconds ?? .max, isExpired: isExpired, isCapped: isCapped))
            } catch let error where !(error is PostgresError) && !(error is CancellationError) {
                logger.error(
                    "batch cannot be opened", metadata: ["batch": "\(lease.batch)", "error": "\(error)"])
                try await park(
                    lease.batch, node: node, epoch: lease.epoch, dueInSeconds: Self.unopenedBatchSeconds,
                    on: connection)
            }
        }
        return claimed
    }

    /// How long a batch that cannot be opened is left alone.
    private static let unopenedBatchSeconds: Double = 300
    private static let stoppedAccountSeconds = Double(StoppedAccounts.seconds)
}
