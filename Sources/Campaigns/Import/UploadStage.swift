import Feedback
import MailTypes
import Postgres
import Vault

/// Where the recipients of one upload wait until all of them are there.
///
/// They are stored portion by portion, each committed by itself, in `batch_recipients` under the negative of their batch's
/// number and without a row in `batches`, where nobody sees them. ``publish(_:from:on:)`` gives them their numbers and rows,
/// all at once. So an upload may last long without a transaction that does: nothing holds vacuum back, and a migration
/// waits for nobody.
///
/// Each upload has a number of its own. One whose row is gone, because the campaign was sent or given up or another upload
/// took its place, writes nothing more.
struct UploadStage: ImportStore {
    let account: AccountID
    let campaign: CampaignID
    private let number: Int64
    private let records: PostgresPool
    private let suppressions: SuppressionList

    /// Begins an upload, and does away with what one that broke off has left.
    static func begin(
        _ account: AccountID, _ campaign: CampaignID, records: PostgresPool, suppressions: SuppressionList
    ) async throws -> UploadStage {
        let number = try await records.withTransaction { connection in
            try await connection.query(
                "DELETE FROM uploads WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)")
            try await deleteStaged(account, campaign, on: connection)
            return try await connection.query(
                """
                INSERT INTO uploads (account_id, campaign_id) VALUES (\(account.rawValue), \(campaign.rawValue))
                RETURNING upload_no
                """
            ).only.decode(Int64.self)
        }
        return UploadStage(
            account: account, campaign: campaign, number: number, records: records, suppressions: suppressions)
    }

    func batches(after number: Int32, limit: Int) async throws -> [SealedBatch] {
        let rows = try await records.query(
            """
            SELECT batch_no, recipients, sealed
            FROM batches JOIN batch_recipients USING (account_id, campaign_id, batch_no)
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND batch_no > \(number)
            ORDER BY batch_no LIMIT \(limit)
            """)
        return try rows.map { row in
            let (number, deliverable, sealed) = try row.decode(Int32.self, Int32.self, [UInt8].self)
            return SealedBatch(number: number, deliverable: deliverable, sealed: sealed)
        }
    }

    func suppressed(among addressees: [Addressee]) async throws -> Set<Fingerprint> {
        try await records.withConnection { connection in
            try await suppressions.which(of: addressees, account: account, on: connection)
        }
    }

    /// - Throws: ``CampaignError`` `.uploadInProgress` where the upload has lost its place.
    func write(_ batches: [SealedBatch]) async throws {
        // Not waited for on disk: a crash of the database may take the newest portions away, and the publication, which is
        // waited for and comes behind them in the log, counts what is there.
        let written = try await records.query(
            """
            WITH mine AS (
                SELECT set_config('synchronous_commit', 'off', true) FROM uploads
                WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND upload_no = \(number)
                FOR KEY SHARE)
            INSERT INTO batch_recipients (account_id, campaign_id, batch_no, sealed)
            SELECT \(account.rawValue), \(campaign.rawValue), -t.batch_no, t.sealed
            FROM mine, unnest(\(batches.map(\.number)), \(batches.map(\.sealed))) AS t (batch_no, sealed)
            """
        ).affected
        guard written == batches.count else { throw Self.lost }
    }

    /// Makes the upload's batches part of the campaign, whose row the caller has locked.
    ///
    /// - Parameters:
    ///   - deliverable: of each batch, in the order of their numbers.
    ///   - first: number of the first.
    /// - Throws: ``CampaignError`` `.uploadInProgress` where the upload has lost its place, `.uploadLost` where the database
    ///   has lost a portion.
    func publish(_ deliverable: [Int32], from first: Int32, on connection: PostgresConnection) async throws {
        let isMine = try await connection.query(
            """
            DELETE FROM uploads
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND upload_no = \(number)
            """
        ).affected
        guard isMine == 1 else { throw Self.lost }
        let staged = try await connection.query(
            """
            UPDATE batch_recipients SET batch_no = -batch_no
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND batch_no < 0
            """
        ).affected
        guard staged == deliverable.count else {
            throw CampaignError(
                .uploadLost, "the database failed during the upload, and lost a part of it; upload it again")
        }
        try await connection.query(
            """
            INSERT INTO batches (account_id, campaign_id, batch_no, state, recipients)
            SELECT \(account.rawValue), \(campaign.rawValue), \(first) + t.place::integer - 1, 0, t.recipients
            FROM unnest(\(deliverable)) WITH ORDINALITY AS t (recipients, place)
            """)
    }

    /// Does away with an upload that was not published. What another one has staged in the meantime stays.
    func discard() async throws {
        try await records.query(
            """
            DELETE FROM uploads
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND upload_no = \(number)
            """)
        try await records.withConnection { connection in
            try await Self.deleteStaged(account, campaign, on: connection)
        }
    }

    /// Ends what is left of uploads that stopped without a word, because their node did.
    ///
    /// - Returns: of how many campaigns something was done away with.
    static func sweep(olderThanSeconds seconds: Int, on records: PostgresPool) async throws -> Int {
        try await records.query(
            "DELETE FROM uploads WHERE started_at < clock_timestamp() - make_interval(secs => \(Double(seconds)))")
        let orphans = try await records.query(
            """
            SELECT DISTINCT account_id, campaign_id FROM batch_recipients r
            WHERE batch_no < 0 AND NOT EXISTS (
                SELECT FROM uploads u WHERE u.account_id = r.account_id AND u.campaign_id = r.campaign_id)
            LIMIT 1000
            """
        ).map { try $0.decode(Int64.self, Int64.self) }
        for (account, campaign) in orphans {
            try await records.withConnection { connection in
                try await deleteStaged(
                    AccountID(rawValue: account), CampaignID(rawValue: campaign), on: connection)
            }
        }
        return orphans.count
    }

    /// Deletes what is staged for a campaign, unless an upload is under way. Whoever sees its portions sees its row as well,
    /// because that was committed before.
    private static func deleteStaged(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        try await connection.query(
            """
            DELETE FROM batch_recipients
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND batch_no < 0
                AND NOT EXISTS (
                    SELECT FROM uploads
                    WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue))
            """)
    }

    private static let lost = CampaignError(
        .uploadInProgress, "another upload to this campaign has taken the place of this one")
}
