import Logging
package import MailTypes
import Postgres
import Vault

extension CampaignService {
    /// The campaign's recipients batch by batch, while the data lives.
    ///
    /// A deferred recipient comes with its retry batch, late in the listing. Recipients that move while pages are read
    /// can appear twice.
    ///
    /// - Parameters:
    ///   - fate: only those that stand so
    ///   - inDoubtOnly: only those with a mail whose answer was lost, whether or not it was sent again
    ///   - after: ``RecipientPage/next`` of the page before
    ///   - limit: bounded by ``CampaignLimits/pageSize``
    /// - Throws: ``CampaignError`` `.notFound`, `.purged`
    @concurrent
    package func recipients(
        _ account: AccountID, _ campaign: CampaignID, fate: RecipientFate? = nil, inDoubtOnly: Bool = false,
        after cursor: RecipientCursor? = nil, limit: Int = 100
    ) async throws -> RecipientPage {
        let limit = min(max(limit, CampaignLimits.pageSize.lowerBound), CampaignLimits.pageSize.upperBound)
        let current = try await records.withConnection { try await Campaign.read(account, campaign, on: $0) }
        guard current.purgedAt == nil else { throw CampaignError.purged }
        let key = try await vault.openingKey(account, campaign)
        var next = cursor ?? RecipientCursor(batch: 0, position: 0)
        var found: [RecipientStatus] = []
        for _ in 0..<CampaignLimits.batchesOpenedForPage {
            // Without a connection in hand while a batch is opened, which takes longer than reading it.
            guard let batch = try await StoredBatch.first(from: next.batch, account, campaign, in: records)
            else { return RecipientPage(recipients: found, next: nil) }
            if batch.id.number > next.batch { next = RecipientCursor(batch: batch.id.number, position: 0) }
            let known = fates(of: batch, key, unfinished: current.unfinishedOutcome)
            // By position in the campaign, because others of the batch may move meanwhile.
            for (record, state) in known.sorted(by: { $0.record.index < $1.record.index })
            where record.index >= next.position {
                next = RecipientCursor(batch: next.batch, position: record.index + 1)
                guard let state, fate == nil || fate == state.fate else { continue }
                guard !inDoubtOnly || state.wasInDoubt || state.fate == .final(.inDoubt) else { continue }
                found.append(
                    RecipientStatus(
                        index: record.index, email: record.address.text, fate: state.fate,
                        reply: state.reply, wasInDoubt: state.wasInDoubt))
                if found.count == limit { return RecipientPage(recipients: found, next: next) }
            }
            next = RecipientCursor(batch: next.batch + 1, position: 0)
        }
        return RecipientPage(recipients: found, next: next)
    }

    /// None where what is stored of the batch cannot be read: the others are listed all the same.
    private func fates(
        of batch: StoredBatch, _ key: SealingKey, unfinished: Outcome
    ) -> [(record: RecipientRecord, state: StoredBatch.State?)] {
        do {
            return try batch.fates(key, unfinished: unfinished)
        } catch {
            logger.error("batch cannot be read", metadata: ["batch": "\(batch.id)", "error": "\(error)"])
            return []
        }
    }
}

/// All that is stored of one batch, read at one moment.
struct StoredBatch {
    typealias State = (fate: RecipientFate, reply: RecipientReply, wasInDoubt: Bool)

    let id: BatchID
    let state: BatchState
    let recipients: [UInt8]
    let results: [UInt8]?
    /// ``OutcomeMark``s of a settled batch, sealed; nil where an earlier release settled it.
    let sealedMarks: [UInt8]?
    let endedAt: PostgresTimestamp?
    let journal: [(epoch: Int64, number: Int64, notedAt: PostgresTimestamp?, sealed: [UInt8])]

    /// The batch with the least number that is not below `number`.
    static func first(
        from number: Int32, _ account: AccountID, _ campaign: CampaignID, in records: PostgresPool
    ) async throws -> StoredBatch? {
        try await records.withConnection { try await first(from: number, account, campaign, on: $0) }
    }

    static func first(
        from number: Int32, _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> StoredBatch? {
        let rows = try await connection.query(
            """
            SELECT b.batch_no, b.state, b.ended_at, r.sealed, s.sealed, s.marks,
                ARRAY(
                    SELECT j.seq FROM journal j
                    WHERE j.account_id = b.account_id AND j.campaign_id = b.campaign_id AND j.batch_no = b.batch_no
                    ORDER BY j.seq),
                ARRAY(
                    SELECT j.noted_at FROM journal j
                    WHERE j.account_id = b.account_id AND j.campaign_id = b.campaign_id AND j.batch_no = b.batch_no
                    ORDER BY j.seq),
                ARRAY(
                    SELECT j.epoch FROM journal j
                    WHERE j.account_id = b.account_id AND j.campaign_id = b.campaign_id AND j.batch_no = b.batch_no
                    ORDER BY j.seq),
                ARRAY(
                    SELECT j.sealed FROM journal j
                    WHERE j.account_id = b.account_id AND j.campaign_id = b.campaign_id AND j.batch_no = b.batch_no
                    ORDER BY j.seq)
            FROM batches b
            JOIN batch_recipients r USING (account_id, campaign_id, batch_no)
            LEFT JOIN batch_results s USING (account_id, campaign_id, batch_no)
            WHERE b.account_id = \(account.rawValue) AND b.campaign_id = \(campaign.rawValue)
                AND b.batch_no >= \(number)
            ORDER BY b.batch_no LIMIT 1
            """)
        guard let row = rows.first else { return nil }
        let (found, stateNumber, endedAt, recipients, results, marks, numbers, times, epochs, sealed) = try row.decode(
            Int32.self, Int16.self, PostgresTimestamp?.self, [UInt8].self, [UInt8]?.self, [UInt8]?.self, [Int64].self,
            [PostgresTimestamp?].self, [Int64].self, [[UInt8]].self)
        guard let state = BatchState(rawValue: stateNumber) else { throw OctetReader.malformed }
        return StoredBatch(
            id: BatchID(account: account, campaign: campaign, number: found), state: state, recipients: recipients,
            results: results, sealedMarks: marks, endedAt: endedAt,
            journal: epochs.indices.map {
                (epoch: epochs[$0], number: numbers[$0], notedAt: times[$0], sealed: sealed[$0])
            })
    }

    /// Where its outcomes stand among those of the campaign, as far as that was noted.
    func marks(_ key: SealingKey) throws -> [Int32: OutcomeMark] {
        if let sealedMarks { return try key.openMarks(sealedMarks, of: id) }
        return OutcomeMark.marks(
            try journal.map { group in
                StoredJournalGroup(
                    epoch: group.epoch, number: group.number, microseconds: group.notedAt?.microseconds,
                    entries: try key.openJournal(group.sealed, epoch: group.epoch, of: id))
            })
    }

    /// Which recipients a batch has; none where they cannot be read.
    static func indices(
        of batch: BatchID, _ key: SealingKey, on connection: PostgresConnection
    ) async throws -> [Int32] {
        let sealed = try await connection.query(
            """
            SELECT sealed FROM batch_recipients
            WHERE account_id = \(batch.account.rawValue) AND campaign_id = \(batch.campaign.rawValue)
                AND batch_no = \(batch.number)
            """
        ).first.map { try $0.decode([UInt8].self) }
        guard let sealed, let records = try? key.openRecipients(sealed, of: batch) else { return [] }
        return records.map(\.index)
    }

    /// Those with a mail that was sent again after an answer was lost.
    func doubted(_ key: SealingKey) throws -> Set<Int32> {
        let stored = try results.map { try key.openResults($0, of: id) } ?? []
        let entries = try journal.flatMap { try key.openJournal($0.sealed, epoch: $0.epoch, of: id) }
        return Set(
            stored.filter(\.wasInDoubt).map(\.index) + entries.filter { $0.kind == .inDoubtResend }.map(\.index))
    }

    /// Where each record stands; nil for one that a retry batch has taken over.
    /// - Parameter unfinished: the outcome of those that the end of the campaign found without one.
    func fates(_ key: SealingKey, unfinished: Outcome) throws -> [(record: RecipientRecord, state: State?)] {
        let records = try key.openRecipients(recipients, of: id)
        let stored = try results.map { try key.openResults($0, of: id) } ?? []
        let byIndex = Dictionary(stored.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
        let entries = try journal.flatMap { try key.openJournal($0.sealed, epoch: $0.epoch, of: id) }
        let progress = RecipientProgress.replay(entries)
        let resent = Set(entries.filter { $0.kind == .inDoubtResend }.map(\.index))
        return records.map { record in
            if record.isSuppressed { return (record, (.final(.suppressed), .none, false)) }
            let stored = byIndex[record.index]
            let state = state(stored, progress[record.index], unfinished)
            let wasInDoubt = stored?.wasInDoubt == true || resent.contains(record.index)
            return (record, state.map { ($0.fate, $0.reply, wasInDoubt) })
        }
    }

    private func state(
        _ stored: RecipientResult?, _ progress: RecipientProgress?, _ unfinished: Outcome
    ) -> (fate: RecipientFate, reply: RecipientReply)? {
        if state == .settled { return stored.flatMap { result in result.outcome.map { (.final($0), result.reply) } } }
        switch progress {
        case .finished(let result):
            return result.outcome.map { (.final($0), result.reply) }
        case .intended where state == .cancelled:
            return (.final(.inDoubt), stored?.reply ?? .none)
        case .deferred(let result):
            return (state == .cancelled ? .final(unfinished) : .deferred, result.reply)
        case .intended, nil:
            if state == .cancelled { return (.final(unfinished), stored?.reply ?? .none) }
            return stored.map { (.deferred, $0.reply) } ?? (.pending, .none)
        }
    }
}
