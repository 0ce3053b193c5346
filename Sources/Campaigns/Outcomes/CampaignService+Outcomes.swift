import Logging
package import MailTypes
import Postgres
import Vault

extension CampaignService {
    /// Outcomes behind a cursor, in the order in which they are told, as long as the campaign's data lives. Of batches at
    /// work they are read from the journal.
    ///
    /// A page holds the outcomes of one batch, or of some hundred journal groups. Nothing is held between two pages.
    ///
    /// - Parameters:
    ///   - wanted: only these; nil for all
    ///   - after: ``OutcomePage/next`` of the page before, or the cursor of one of its lines
    /// - Throws: ``CampaignError`` `.notFound`, `.purged`
    @concurrent
    package func outcomes(
        _ account: AccountID, _ campaign: CampaignID, _ wanted: Set<Outcome>? = nil,
        after cursor: OutcomeCursor = .start
    ) async throws -> OutcomePage {
        let current = try await records.withConnection { try await Campaign.read(account, campaign, on: $0) }
        guard current.purgedAt == nil else { throw CampaignError.purged }
        let reader = OutcomeReader(
            campaign: current, key: try await vault.openingKey(account, campaign), wanted: wanted, logger: logger)
        if let page = try await reader.ended(after: cursor, in: records) { return page }
        return try await reader.atWork(after: cursor, in: records)
            ?? OutcomePage(
                outcomes: [], next: cursor, isAtEnd: false)
    }
}

/// Reads pages of outcomes of one campaign.
private struct OutcomeReader: Sendable {
    let campaign: Campaign
    let key: SealingKey
    let wanted: Set<Outcome>?
    let logger: Logger

    private var account: AccountID { campaign.account }

    private func isWanted(_ outcome: Outcome) -> Bool { wanted?.contains(outcome) ?? true }

    // MARK: Batches that have ended

    /// Batches without a number ended under a release that drew none: they come first, in their order.
    private static let order = "coalesce(b.ended_no, b.batch_no - 2147483648::bigint)"

    /// A batch that has ended since; nil where there is none.
    func ended(after cursor: OutcomeCursor, in records: PostgresPool) async throws -> OutcomePage? {
        let next = try await records.query(
            """
            SELECT b.batch_no, \(unescaped: Self.order) FROM batches b
            WHERE b.account_id = \(account.rawValue) AND b.campaign_id = \(campaign.id.rawValue)
                AND b.state IN (3, 5)
                AND (\(unescaped: Self.order) > \(cursor.ended)
                    OR \(cursor.position < .max) AND \(unescaped: Self.order) = \(cursor.ended))
            ORDER BY 2 LIMIT 1
            """
        ).first.map { try $0.decode(Int32.self, Int64.self) }
        guard let (number, order) = next else { return nil }
        var cursor = cursor
        if order != cursor.ended { (cursor.ended, cursor.position) = (order, 0) }
        guard
            let batch = try await StoredBatch.first(from: number, account, campaign.id, in: records),
            batch.id.number == number
        else { throw CampaignError.purged }
        var found: [CampaignOutcome] = []
        for told in outcomes(of: batch, order) where told.index >= cursor.position {
            cursor.position = told.index + 1
            guard isWanted(told.outcome), !cursor.hasTold(told.mark) else { continue }
            found.append(
                CampaignOutcome(
                    index: told.index, email: told.email, outcome: told.outcome, reply: told.reply,
                    wasInDoubt: told.wasInDoubt, microseconds: told.mark.microseconds, cursor: cursor))
        }
        cursor.position = .max
        return OutcomePage(outcomes: found, next: cursor, isAtEnd: false)
    }

    private struct Told {
        let index: Int32
        let email: String
        let outcome: Outcome
        let reply: RecipientReply
        let wasInDoubt: Bool
        let mark: OutcomeMark
    }

    /// By position in the campaign. None where what is stored of the batch cannot be read: the others are told all the same.
    private func outcomes(of batch: StoredBatch, _ order: Int64) -> [Told] {
        do {
            let marks = try batch.marks(key)
            let end = OutcomeMark(number: order, position: 0, microseconds: batch.endedAt?.microseconds)
            return try batch.fates(key, unfinished: campaign.unfinishedOutcome).compactMap { record, state in
                guard let state, let outcome = state.fate.outcome else { return nil }
                return Told(
                    index: record.index, email: record.address.text, outcome: outcome, reply: state.reply,
                    wasInDoubt: state.wasInDoubt, mark: marks[record.index] ?? end)
            }.sorted { $0.index < $1.index }
        } catch {
            logger.error("batch cannot be read", metadata: ["batch": "\(batch.id)", "error": "\(error)"])
            return []
        }
    }

    // MARK: Batches at work

    private static let groupsAtOnce: Int32 = 100
    /// After so many outcomes a page ends.
    private static let outcomesOfPage = 500

    /// What the journal tells; nil where a batch has ended meanwhile, whose outcomes come first.
    ///
    /// All is read at one moment: a recipient that has left its batch by then has left it with what was told before. The
    /// connection is given back before anybody is written to.
    func atWork(after cursor: OutcomeCursor, in records: PostgresPool) async throws -> OutcomePage? {
        try await records.withTransaction { connection -> OutcomePage? in
            try await connection.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            let hasEnded = try await connection.query(
                """
                SELECT EXISTS (
                    SELECT FROM batches b
                    WHERE b.account_id = \(account.rawValue) AND b.campaign_id = \(campaign.id.rawValue)
                        AND b.state IN (3, 5) AND \(unescaped: Self.order) > \(cursor.ended))
                """
            ).only.decode(column: 0, as: Bool.self)
            guard !hasEnded else { return nil }
            var cursor = cursor
            var found: [CampaignOutcome] = []
            var batches: [Int32: Known] = [:]
            var last = cursor.horizon == .min ? 0 : cursor.horizon - 1
            while found.count < Self.outcomesOfPage {
                let groups = try await groups(after: last, on: connection)
                guard let end = groups.last?.group.number else {
                    return OutcomePage(outcomes: found, next: cursor, isAtEnd: true)
                }
                for (batch, group) in groups {
                    for (entry, mark) in group.outcomes where !cursor.hasTold(mark) {
                        if batches[batch.number] == nil {
                            batches[batch.number] = try await known(of: batch, on: connection)
                        }
                        cursor.horizon = mark.number
                        cursor.horizonPosition = mark.position
                        guard let present = batches[batch.number], let email = present.addresses[entry.index],
                            case .outcome(let outcome) = entry.kind, isWanted(outcome)
                        else { continue }
                        found.append(
                            CampaignOutcome(
                                index: entry.index, email: email, outcome: outcome, reply: entry.reply,
                                wasInDoubt: present.doubted.contains(entry.index), microseconds: mark.microseconds,
                                cursor: cursor))
                    }
                }
                last = end
            }
            return OutcomePage(outcomes: found, next: cursor, isAtEnd: false)
        }
    }

    /// Journal groups in the order of their commit.
    private func groups(
        after last: Int64, on connection: PostgresConnection
    ) async throws -> [(batch: BatchID, group: StoredJournalGroup)] {
        try await connection.query(
            """
            SELECT j.batch_no, j.epoch, j.seq, j.noted_at, j.sealed
            FROM journal j JOIN batches b USING (account_id, campaign_id, batch_no)
            WHERE j.account_id = \(account.rawValue) AND j.campaign_id = \(campaign.id.rawValue) AND j.seq > \(last)
                AND b.state NOT IN (3, 5)
            ORDER BY j.seq LIMIT \(Self.groupsAtOnce)
            """
        ).map { row in
            let (batch, epoch, number, notedAt, sealed) = try row.decode(
                Int32.self, Int64.self, Int64.self, PostgresTimestamp?.self, [UInt8].self)
            let id = BatchID(account: account, campaign: campaign.id, number: batch)
            return (id, opened(sealed, of: id, epoch: epoch, number: number, notedAt))
        }
    }

    /// Without entries where it cannot be read.
    private func opened(
        _ sealed: [UInt8], of batch: BatchID, epoch: Int64, number: Int64, _ notedAt: PostgresTimestamp?
    ) -> StoredJournalGroup {
        var entries: [JournalEntry] = []
        do {
            entries = try key.openJournal(sealed, epoch: epoch, of: batch)
        } catch {
            logger.error("journal cannot be read", metadata: ["batch": "\(batch)", "error": "\(error)"])
        }
        return StoredJournalGroup(
            epoch: epoch, number: number, microseconds: notedAt?.microseconds, entries: entries)
    }

    /// What a batch at work knows of its recipients.
    private struct Known {
        var addresses: [Int32: String] = [:]
        /// Those with a mail that was sent again.
        var doubted: Set<Int32> = []
    }

    /// Nothing where it cannot be read.
    private func known(of batch: BatchID, on connection: PostgresConnection) async throws -> Known {
        guard let stored = try await StoredBatch.first(from: batch.number, account, campaign.id, on: connection),
            stored.id == batch, let records = try? key.openRecipients(stored.recipients, of: batch)
        else { return Known() }
        var known = Known()
        for record in records { known.addresses[record.index] = record.address.text }
        if campaign.counters.inDoubtResent > 0 { known.doubted = (try? stored.doubted(key)) ?? [] }
        return known
    }
}
