import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import TestStores
import Testing
import Vault

@testable import Campaigns

/// Databases that an older version has filled.
struct OlderRowsTests {
    private let older: OlderStores
    private let account: AccountID
    private let steady: OlderNode

    init() async throws {
        older = try await OlderStores.open()
        account = try await older.account("first", credits: 100)
        steady = try await OlderNode.start("steady", older)
    }

    @Test func `older rows stay what they were, and both versions finish them`() async throws {
        let filled = try await fill()
        let snapshot = try await OlderSnapshot.take(older.records)
        try await older.migrate()
        #expect(try await OlderSnapshot.take(older.records, columns: snapshot.columns) == snapshot)
        #expect(snapshot.rows.values.allSatisfy { $0 > 0 }, "\(snapshot.rows.filter { $0.value == 0 })")
        try await older.stores.vault.completeAccounts()
        try await finishInTheOlderWay(filled)
        try await finish(filled)
        let open = try await older.records.owner.query("SELECT campaign_id FROM campaigns WHERE purged_at IS NULL")
        #expect(open.isEmpty)
        let balance = try await older.stores.balance(account)
        #expect(balance.posted == 100 - 16)
        #expect(balance.held == 0)
        #expect(try await older.stores.problemsOfBooks() == [])
    }

    @Test func `domains that sent before there were proofs have time to prove themselves`() async throws {
        let second = try await older.account("second", credits: 1)
        try await older.migrate()
        let states = try await older.records.owner.query(
            "SELECT d.account_id, d.state, o.account_id FROM domains d JOIN domain_owners o USING (domain) ORDER BY 1")
        let found = try states.map { try $0.decode(Int64.self, String.self, Int64.self) }
        #expect(found.map(\.0) == [account.rawValue, second.rawValue])
        #expect(found.map(\.1) == ["failing", "pending"])
        #expect(found.map(\.2) == [account.rawValue, account.rawValue])
    }

    private struct Filled {
        let draft: CampaignID
        let paused: CampaignID
        let cancelled: CampaignID
        /// Batches that the older node has in its hands, of a campaign at work and of the cancelled one.
        let claims: [OlderNode.Claim]
    }

    /// Campaigns with batches in each state, of four recipients or six.
    private func fill() async throws -> Filled {
        try await older.records.owner.withConnection { try await $0.execute(script: OlderSnapshot.otherRows) }
        let draft = try await steady.draft(account, recipients: 4)
        try await steady.send(account, try await steady.draft(account, recipients: 4), isScheduled: true)
        let paused = try await steady.draft(account, recipients: 4)
        try await steady.send(account, paused)
        try await steady.pause(account, paused)
        let purged = try await steady.draft(account, recipients: 2)
        try await steady.send(account, purged)
        try await steady.cancel(account, purged)
        try await steady.purge(account, purged)
        try await steady.send(account, try await steady.draft(account, recipients: 6))
        let atWork = try await steady.claim(limit: 8)
        try await begin(atWork)
        let cancelled = try await steady.draft(account, recipients: 6)
        try await steady.send(account, cancelled)
        let ending = try await steady.claim(limit: 8)
        try await steady.park(ending[1])
        try await steady.cancel(account, cancelled)
        return Filled(draft: draft, paused: paused, cancelled: cancelled, claims: [atWork[1], ending[0]])
    }

    /// One batch is settled and leaves a retry batch; of the other one mail is answered and one is under way.
    private func begin(_ claims: [OlderNode.Claim]) async throws {
        #expect(
            try await steady.append([
                claims[0].group([0: .delivered, 1: .bounced, 2: nil]), claims[1].group([4: .delivered]),
            ]) == [1: 1, 2: 1])
        #expect(try await steady.append([claims[1].intents([3])]) == [2: 1])
        let results = [
            RecipientResult(index: 0, outcome: .delivered), RecipientResult(index: 1, outcome: .bounced),
        ]
        try await steady.settle(
            claims[0], OlderNode.Settlement(results: results, retry: [claims[0].records[2]]))
    }

    private func finishInTheOlderWay(_ filled: Filled) async throws {
        let (atWork, ending) = (filled.claims[0], filled.claims[1])
        #expect(try await steady.renew(filled.claims) == [1, 2])
        let answers = [
            JournalEntry(index: 3, kind: .outcome(.delivered)), JournalEntry(index: 5, kind: .intent),
            JournalEntry(index: 5, kind: .outcome(.bounced)),
        ]
        let group = JournalGroup(batch: atWork.id, epoch: atWork.epoch, entries: answers)
        #expect(try await steady.append([group]) == [2: 1])
        #expect(try await steady.append([ending.question]) == [1: 4])
        let outcomes: [Int32: Outcome] = [3: .delivered, 4: .delivered, 5: .bounced]
        try await steady.settle(
            atWork,
            OlderNode.Settlement(results: outcomes.map { RecipientResult(index: $0.key, outcome: $0.value) }))
        let rest = ending.records.map { RecipientResult(index: $0.index, outcome: .cancelled) }
        try await steady.settle(ending, OlderNode.Settlement(results: rest, ended: 3))
    }

    private func finish(_ filled: Filled) async throws {
        let stores = older.stores
        _ = try await stores.campaigns.send(account, filled.draft)
        _ = try await stores.campaigns.resume(account, filled.paused)
        _ = try await stores.delivery.complete(account, filled.cancelled)
        try await older.records.owner.query("UPDATE batches SET due_at = clock_timestamp() WHERE state = 1")
        try await older.records.owner.query("UPDATE account_queue SET next_due = clock_timestamp()")
        while case let batches = try await stores.delivery.claim(node: "newer", leaseSeconds: 60, limit: 8),
            !batches.isEmpty
        {
            for batch in batches { try await deliver(batch) }
        }
    }

    private func deliver(_ batch: ClaimedBatch) async throws {
        let delivery = older.stores.delivery
        let entries = batch.records.flatMap { record in
            [
                JournalEntry(index: record.index, kind: .intent),
                JournalEntry(index: record.index, kind: .outcome(.delivered), wasDeferred: batch.isRetry),
            ]
        }
        _ = try await delivery.append(
            node: "newer", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
        let results = batch.records.map { RecipientResult(index: $0.index, outcome: .delivered) }
        let end = try await delivery.settle(
            batch.id, node: "newer", epoch: batch.epoch, BatchSettlement(results: results))
        guard end == .settled(campaignDone: true) else { return }
        _ = try await delivery.complete(batch.id.account, batch.id.campaign)
    }
}
