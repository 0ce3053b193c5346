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
        try await groups(of: batches, on: connection).mapValues { RecipientProgress.replay($0.lazy.flatMap(\.entries)) }
    }

    /// Progress of one batch, and how often its recipients' mails were to be sent again.
    func progressAndResends(
        of batch: BatchID, on connection: PostgresConnection
    ) async throws -> (progress: [Int32: RecipientProgress], resends: [Int32: Int]) {
        let entries = try await groups(of: [batch], on: connection)[batch]?.flatMap(\.entries) ?? []
        return (RecipientProgress.replay(entries), RecipientProgress.resends(entries))
    }

    /// Progress of one batch, and where its outcomes stand among those of its campaign.
    func progressAndMarks(
        of batch: BatchID, on connection: PostgresConnection
    ) async throws -> (progress: [Int32: RecipientProgress], marks: [Int32: OutcomeMark]) {
        let groups = try await groups(of: [batch], on: connection)[batch] ?? []
        return (RecipientProgress.replay(groups.lazy.flatMap(\.entries)), OutcomeMark.marks(groups))
    }

    /// The recipients whose intent is followed by nothing, each with the epoch of the intent.
    func openIntents(of batch: BatchID, on connection: PostgresConnection) async throws -> [Int32: Int64] {
        var open: [Int32: Int64] = [:]
        for group in try await groups(of: [batch], on: connection)[batch] ?? [] {
            for entry in group.entries { open[entry.index] = entry.kind == .intent ? group.epoch : nil }
        }
        return open
    }

    /// In their order of commit.
    private func groups(
        of batches: [BatchID], on connection: PostgresConnection
    ) async throws -> [BatchID: [StoredJournalGroup]] {
        let keys = BatchKeys(batches)
        let rows = try await connection.query(
            """
            SELECT j.account_id, j.campaign_id, j.batch_no, j.epoch, j.seq, j.noted_at, j.sealed
            FROM unnest(\(keys.accounts), \(keys.campaigns), \(keys.numbers)) AS k (account_id, campaign_id, batch_no)
            JOIN journal j USING (account_id, campaign_id, batch_no)
            ORDER BY j.account_id, j.campaign_id, j.batch_no, j.seq
            """)
        var groups: [BatchID: [StoredJournalGroup]] = [:]
        for row in rows {
            let (account, campaign, number, epoch, place, notedAt, sealed) = try row.decode(
                Int64.self, Int64.self, Int32.self, Int64.self, Int64.self, PostgresTimestamp?.self, [UInt8].self)
            let batch = BatchID(account, campaign, number)
            let key = try await vault.openingKey(batch.account, batch.campaign)
            groups[batch, default: []].append(
                StoredJournalGroup(
                    epoch: epoch, number: place, microseconds: notedAt?.microseconds,
                    entries: try key.openJournal(sealed, epoch: epoch, of: batch)))
        }
        return groups
    }
}
