import Logging
package import MailTypes
import Postgres
import Vault

extension DeliveryStore {
    /// A claim for an account that nobody has, to be rehearsed by each session that will claim
    /// (`PostgresConfiguration.rehearsal`).
    ///
    /// The first claim of a session plans all its statements and reads the catalogue for that, which takes more than ten times
    /// as long as the claim. The account's number is the session's own, so that two sessions do not wait for each other, and it
    /// was served before all others, so that theirs are not touched.
    package static let claimRehearsal = """
        INSERT INTO account_queue (account_id, next_due, served_at) VALUES (-pg_backend_pid(), '-infinity', '-infinity');
        SELECT FROM claim_batches('', 0, 1, '{}');
        SELECT claimable_at(0, 0, 'infinity');
        SELECT FROM begin_campaigns('{0}', '{0}');
        """

    /// Leases due batches to the node: first those of the account that was served longest ago, then the next one's.
    ///
    /// A batch whose data cannot be opened is ended or put off (``UnopenedBatch``); the others are not held up. Where the
    /// vault or the database cannot be asked at the moment, batches are given back at once. Accounts whose key is missing
    /// or wrong get nothing.
    ///
    /// - Parameters:
    ///   - leaseSeconds: how long the node may work on a batch without renewing
    ///   - limit: the most batches to lease; bounded by ``CampaignLimits/claimedBatches``
    ///   - waiting: accounts that get nothing now, because they have reached the cap of their rate; their expired
    ///     campaigns have to end all the same
    ///   - deadline: by the database's clock, in seconds since 1970; a statement that comes later claims nothing. The node's
    ///     own leases may have run out by then, and it would take its own batches from its hands.
    @concurrent
    package func claim(
        node: String, leaseSeconds: Int, limit: Int, waiting: [AccountID] = [], deadline: Double? = nil
    ) async throws -> [ClaimedBatch] {
        let limit = Int32(min(limit, CampaignLimits.claimedBatches.upperBound))
        guard limit >= CampaignLimits.claimedBatches.lowerBound else { return [] }
        let excluded = waiting + stopped.accounts
        let leases = try await journal.withConnection { connection in
            let rows = try await connection.query(
                """
                SELECT account_id, campaign_id, batch_no, epoch, state, attempt
                FROM claim_batches(
                    \(node), \(Double(leaseSeconds)),
                    CASE WHEN clock_timestamp() <= to_timestamp(\(deadline ?? .infinity)) THEN \(limit) ELSE 0 END,
                    \(excluded.map(\.rawValue)))
                """)
            var leases = try rows.map(Lease.init)
            if !waiting.isEmpty && leases.count < Int(limit) {
                leases += try await connection.query(
                    """
                    SELECT account_id, campaign_id, batch_no, epoch, state, attempt
                    FROM claim_expired(
                        \(node), \(Double(leaseSeconds)),
                        CASE WHEN clock_timestamp() <= to_timestamp(\(deadline ?? .infinity))
                            THEN \(limit - Int32(leases.count)) ELSE 0 END,
                        \(waiting.map(\.rawValue)))
                    """
                ).map(Lease.init)
            }
            return leases
        }
        return try await open(leases, node: node)
    }

    /// Leases one due test batch to the node: of the test account that was served longest ago. Live batches are claimed by
    /// ``claim(node:leaseSeconds:limit:waiting:deadline:)``, which gives no test batches.
    @concurrent
    package func claimTest(node: String, leaseSeconds: Int) async throws -> ClaimedBatch? {
        let leases = try await journal.query(
            """
            SELECT account_id, campaign_id, batch_no, epoch, state, attempt
            FROM claim_test_batch(\(node), \(Double(leaseSeconds)))
            """
        ).map(Lease.init)
        return try await open(leases, node: node).first
    }

    /// Starts the campaigns of what was leased, and opens its records.
    private func open(_ leases: [Lease], node: String) async throws -> [ClaimedBatch] {
        guard !leases.isEmpty else { return [] }
        let (claimed, unopened): ([ClaimedBatch], [UnopenedBatch])
        do {
            (claimed, unopened) = try await journal.withConnection { connection in
                let opened = try await withKeys(leases, node: node, on: connection)
                guard !opened.isEmpty else { return ([], []) }
                return try await load(try await start(opened, node: node, on: connection), on: connection)
            }
        } catch {
            await giveBack(leases, node: node, because: error)
            throw error
        }
        for batch in unopened { await putAside(batch, node: node) }
        return claimed
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

    /// What became of leases that were to be extended. Forget the batches that are in neither.
    package struct Renewal: Sendable {
        /// Extended, also where they had run out: nobody else had claimed the batch.
        package var held: Set<BatchID> = []
        /// Somebody has locked the batch's row. The lease is as it was.
        package var locked: Set<BatchID> = []
    }

    /// Extends leases. Waits for nobody.
    package func renew(
        node: String, _ leases: [(batch: BatchID, epoch: Int64)], leaseSeconds: Int
    ) async throws -> Renewal {
        var renewal = Renewal()
        guard !leases.isEmpty else { return renewal }
        let keys = BatchKeys(leases.map(\.batch))
        let rows = try await journal.query(
            """
            SELECT place, is_locked FROM extend_leases(
                \(node), \(Double(leaseSeconds)), \(keys.accounts), \(keys.campaigns), \(keys.numbers),
                \(leases.map(\.epoch)))
            """)
        for row in rows {
            let (place, isLocked) = try row.decode(Int32.self, Bool.self)
            let batch = leases[Int(place) - 1].batch
            if isLocked { renewal.locked.insert(batch) } else { renewal.held.insert(batch) }
        }
        return renewal
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
                    AND state IN (1, 2, 4)
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
        _ leases: [Lease], on connection: PostgresConnection
    ) async throws -> ([ClaimedBatch], [UnopenedBatch]) {
        let keys = BatchKeys(leases.map(\.batch))
        let rows = try await connection.query(
            """
            SELECT k.place::integer, coalesce(r.sealed, ''), c.expires_at,
                coalesce(c.expires_at <= clock_timestamp(), false), c.rate_per_hour IS NOT NULL,
                extract(epoch FROM clock_timestamp())::double precision
            FROM unnest(\(keys.accounts), \(keys.campaigns), \(keys.numbers)) WITH ORDINALITY
                AS k (account_id, campaign_id, batch_no, place)
            JOIN campaigns c USING (account_id, campaign_id)
            LEFT JOIN batch_recipients r USING (account_id, campaign_id, batch_no)
            ORDER BY k.place
            """)
        var (claimed, unopened): ([ClaimedBatch], [UnopenedBatch]) = ([], [])
        for row in rows {
            let (place, sealed, expiresAt, isExpired, isCapped, now) = try row.decode(
                Int32.self, [UInt8].self, PostgresTimestamp?.self, Bool.self, Bool.self, Double.self)
            let lease = leases[Int(place) - 1]
            do {
                let (records, progress) = try await open(lease, sealed, on: connection)
                claimed.append(
                    ClaimedBatch(
                        id: lease.batch, epoch: lease.epoch, work: lease.work, records: records, progress: progress,
                        isRetry: lease.isRetry, campaignExpiresAt: expiresAt?.seconds ?? .max, isExpired: isExpired,
                        claimedAt: now, isCapped: isCapped))
            } catch let error where !(error is PostgresError) && !(error is CancellationError) {
                unopened.append(
                    UnopenedBatch(
                        id: lease.batch, epoch: lease.epoch, isOver: isExpired || lease.work == .cancelling,
                        error: error))
            }
        }
        return (claimed, unopened)
    }

    private static let stoppedAccountSeconds = Double(StoppedAccounts.seconds)

    private func open(
        _ lease: Lease, _ sealed: [UInt8], on connection: PostgresConnection
    ) async throws -> ([RecipientRecord], [Int32: RecipientProgress]) {
        let key: SealingKey
        do {
            key = try await vault.openingKey(lease.batch.account, lease.batch.campaign)
        } catch let error as VaultError {
            // Of the key and not of the batch.
            throw UnopenedBatch.KeyError(error: error)
        }
        var records = try key.openRecipients(sealed, of: lease.batch)
        // In place: what `filter` makes has grown by doubling.
        records.removeAll(where: \.isSuppressed)
        guard lease.epoch > 1 else { return (records, [:]) }
        let known = try await JournalReplay(vault: vault).progressAndResends(of: lease.batch, on: connection)
        for place in records.indices { records[place].count(resends: known.resends[records[place].index] ?? 0) }
        return (records, known.progress)
    }
}
