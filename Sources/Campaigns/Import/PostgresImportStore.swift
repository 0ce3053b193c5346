import Feedback
import MailTypes
import Postgres
import Vault

/// The tables of one campaign, inside the transaction of its upload.
struct PostgresImportStore: ImportStore {
    let account: AccountID
    let campaign: CampaignID
    let suppressions: SuppressionList
    let connection: PostgresConnection

    func batches(after number: Int32, limit: Int) async throws -> [SealedBatch] {
        let rows = try await connection.query(
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

    func suppressed(among fingerprints: [Fingerprint]) async throws -> Set<Fingerprint> {
        try await suppressions.which(of: fingerprints, account: account, on: connection)
    }

    func write(_ batches: [SealedBatch]) async throws {
        // One statement for both tables: the upload waits for one round trip a group.
        _ = try await connection.query(
            """
            WITH fresh AS (
                SELECT * FROM unnest(
                    \(batches.map(\.number)), \(batches.map(\.deliverable)), \(batches.map(\.sealed)))
                    AS t (batch_no, recipients, sealed)
            ), numbered AS (
                INSERT INTO batches (account_id, campaign_id, batch_no, state, recipients)
                SELECT \(account.rawValue), \(campaign.rawValue), batch_no, 0, recipients FROM fresh
            )
            INSERT INTO batch_recipients (account_id, campaign_id, batch_no, sealed)
            SELECT \(account.rawValue), \(campaign.rawValue), batch_no, sealed FROM fresh
            """)
    }
}
