import MailTypes
import Postgres
import Vault

/// Reads what the journal knows of batches.
struct JournalReplay {
    let vault: Vault

    /// Progress by batch. Batches without journal are left out.
    func progress(
        of batches: [BatchID], on connection: PostgresConnection
    ) async throws -> [BatchID: [Int32: RecipientProgress]] {
        let keys = BatchKeys(batches)
        let rows = try await connection.query(
            """
            SELECT j.account_id, j.campaign_id, j.batch_no, j.epoch, j.sealed
            FROM unnest(\(keys.accounts), \(keys.campaigns), \(keys.numbers)) AS k (account_id, campaign_id, batch_no)
            JOIN journal j USING (account_id, campaign_id, batch_no)
            ORDER BY j.account_id, j.campaign_id, j.batch_no, j.seq
            """)
        var entries: [BatchID: [JournalEntry]] = [:]
        for row in rows {
            let (account, campaign, number, epoch, sealed) = try row.decode(
                Int64.self, Int64.self, Int32.self, Int64.self, [UInt8].self)
            let batch = BatchID(account, campaign, number)
            let key = try await vault.openingKey(batch.account, batch.campaign)
            entries[batch, default: []] += try key.openJournal(sealed, epoch: epoch, of: batch)
        }
        return entries.mapValues { RecipientProgress.replay($0) }
    }
}
