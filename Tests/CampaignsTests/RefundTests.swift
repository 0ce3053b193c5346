import CreditLedger
import Feedback
import MailTypes
import Postgres
import Synchronization
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

@testable import Campaigns

struct RefundTests {
    private let fixture: CampaignFixture

    init() async throws {
        let stores = try await Stores.open(resultsFor: 60, refundFor: 3_600)
        fixture = CampaignFixture(stores: stores, account: try await stores.accountWithDomain("first", credits: 1_000))
    }

    /// Counts its calls for each recipient.
    private final class Counter: FeedbackFollower {
        let calls = Mutex<[RecipientToken: Int]>([:])

        func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws {
            calls.withLock { calls in
                for event in new { calls[event.recipient, default: 0] += 1 }
            }
        }
    }

    private func tokens(_ campaign: CampaignID, _ count: Int) async throws -> [RecipientToken] {
        let fingerprinter = try await fixture.vault.accountKeys(fixture.account).fingerprinter
        return try CampaignFixture.addresses(0..<count).map {
            RecipientToken(
                account: fixture.account, campaign: campaign,
                fingerprint: fingerprinter.fingerprint(try EmailAddress($0)))
        }
    }

    private func bounce(_ token: RecipientToken, by channel: FeedbackChannel = .notice) -> FeedbackEvent {
        FeedbackEvent(token, .hardBounce, by: channel, reason: "userunknown")
    }

    private func refunded(_ campaign: CampaignID) async throws -> Int64 {
        try await fixture.status(campaign).credits.refunded
    }

    @Test(arguments: Seed.range(1..<7))
    func `one bounce told by notices, a provider and the reply, ten times each and at once, has its effects once`(
        seed: Seed
    ) async throws {
        var random = SeededGenerator(seed)
        let counter = Counter()
        let refunds = Refunds(records: fixture.records.pool, ledger: fixture.ledger, logger: .silent)
        let intake = FeedbackIntake(
            records: fixture.records.pool,
            followers: [RefundFollower(refunds), SuppressionFollower(suppressions: fixture.suppressions), counter])
        let store = DeliveryStore(
            records: fixture.records.pool, vault: fixture.vault, ledger: fixture.ledger,
            suppressions: fixture.suppressions, feedback: intake, logger: .silent)
        // The first is delivered, the second refused at once.
        let campaign = try await fixture.sent(2)
        let tokens = try await tokens(campaign, 2)
        let batch = try #require(try await store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let reply = RecipientReply(code: 550, text: "no such user")
        let group = JournalGroup(
            batch: batch.id, epoch: batch.epoch,
            entries: [
                JournalEntry(index: 0, kind: .outcome(.delivered), replyCode: 250),
                JournalEntry(index: 1, kind: .outcome(.bounced), reply: reply, finding: .missing),
            ])
        let found = [batch.id: [FoundAddress(tokens[1].fingerprint, in: campaign, .missing, reply)]]
        enum Telling { case reply, notice(Int), provider(Int), end }
        let tellings =
            (0..<10).flatMap { _ in
                [Telling.reply, .notice(0), .notice(1), .provider(0), .provider(1)]
            } + [.end]
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for telling in tellings.shuffled(using: &random) {
                tasks.addTask { [fixture] in
                    switch telling {
                    case .reply:
                        // A statement that waited for others in vain is sent again, as the journal does it.
                        while true {
                            do {
                                _ = try await store.append(node: "n", [group], found: found)
                                return
                            } catch let error as PostgresError
                                where JournalFailure(error) == .passing || error.isTimeout
                            {}
                        }
                    case .notice(let place): try await intake.take([bounce(tokens[place])])
                    case .provider(let place): try await intake.take([bounce(tokens[place], by: .provider("ses"))])
                    case .end:
                        while try await fixture.store.append(node: "n", [group], found: found)[batch.id]?.committed
                            == nil
                        {}
                        let results = [
                            RecipientResult(index: 0, outcome: .delivered),
                            RecipientResult(index: 1, outcome: .bounced, reply: reply),
                        ]
                        while true {
                            do {
                                _ = try await store.settle(
                                    batch.id, node: "n", epoch: batch.epoch, BatchSettlement(results: results))
                                break
                            } catch  where DeliveryStore.isLockedOut(error) {}
                        }
                        _ = try await store.complete(fixture.account, campaign)
                    }
                }
            }
            try await tasks.waitForAll()
        }
        _ = try await refunds.sweep()
        #expect(counter.calls.withLock { $0 } == [tokens[0]: 1, tokens[1]: 1])
        #expect(try await fixture.suppressions.count(fixture.account) == 2)
        #expect(try await refunded(campaign) == 1)
        #expect(try await fixture.balance().posted == 1_000)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a bounce is refunded by its own transaction after the end, also after the purge`() async throws {
        let campaign = try await fixture.sent(3)
        let tokens = try await tokens(campaign, 3)
        try await fixture.deliverAll()
        try await fixture.stores.feedback.take([bounce(tokens[0])])
        #expect(try await refunded(campaign) == 1)
        try await fixture.records.owner.query("UPDATE campaigns SET results_until = now() - interval '1 second'")
        #expect(try await fixture.store.complete(fixture.account, campaign) != nil)
        try await fixture.stores.feedback.take(tokens.prefix(2).map { bounce($0, by: .provider("ses")) })
        #expect(try await refunded(campaign) == 2)
        let credits = try await fixture.status(campaign).credits
        #expect(credits == CampaignCredits(held: 0, charged: 3, released: 0, refunded: 2))
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a report that is also of a campaign that goes on waits for no account, and is refunded by the sweep`()
        async throws
    {
        let ended = try await fixture.sent(3)
        try await fixture.deliverAll()
        let running = try await fixture.sent(1)
        let tokens = try await tokens(ended, 3)
        let others = try await self.tokens(running, 1)
        try await fixture.records.pool.withTransaction { [fixture] connection in
            try await fixture.ledger.lock(fixture.account, on: connection)
            // The second time with another fact of the campaign that goes on.
            try await fixture.stores.feedback.take([bounce(tokens[0]), bounce(others[0])])
            try await fixture.stores.feedback.take([
                bounce(tokens[1]), FeedbackEvent(others[0], .softBounce, by: .notice, reason: "mailboxfull"),
            ])
        }
        #expect(try await refunded(ended) == 0)
        #expect(try await fixture.store.giveRefunds() == 2)
        #expect(try await refunded(ended) == 2)
        try await fixture.stores.feedback.take([bounce(tokens[2])])
        #expect(try await refunded(ended) == 3)
        try await fixture.deliverAll()
        #expect(try await fixture.store.giveRefunds() == 1)
        #expect(try await refunded(running) == 1)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `who was not charged gets nothing back`() async throws {
        // Two were charged, so that there are credits for somebody else to get.
        let outcomes: [Outcome] = [.bounced, .inDoubt, .expired, .delivered, .delivered]
        let campaign = try await fixture.sent(outcomes.count, batchSize: outcomes.count)
        let tokens = try await tokens(campaign, outcomes.count)
        // Some reports come before the outcome is known, some after the end.
        try await fixture.stores.feedback.take([bounce(tokens[0]), bounce(tokens[1])])
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let byIndex = Dictionary(uniqueKeysWithValues: zip((0 as Int32)..., outcomes))
        _ = try await fixture.store.append(node: "n", [batch.group(byIndex)])
        _ = try await fixture.store.settle(
            batch.id, node: "n", epoch: batch.epoch, BatchSettlement(results: batch.results(byIndex)))
        _ = try await fixture.store.complete(fixture.account, campaign)
        try await fixture.stores.feedback.take(tokens.dropLast().map { bounce($0, by: .provider("ses")) })
        #expect(try await fixture.store.giveRefunds() == 0)
        #expect(try await refunded(campaign) == 1)
        #expect(try await fixture.balance().posted == 999)
    }

    @Test func `a cancelled campaign refunds nobody whose mail was tried and given up`() async throws {
        let campaign = try await fixture.sent(4, batchSize: 2)
        let tokens = try await tokens(campaign, 4)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let (first, second) = (batch.records[0].index, batch.records[1].index)
        // Delivered, and about to be sent when the node died.
        let group = JournalGroup(
            batch: batch.id, epoch: batch.epoch,
            entries: [
                JournalEntry(index: first, kind: .intent),
                JournalEntry(index: first, kind: .outcome(.delivered), replyCode: 250),
                JournalEntry(index: second, kind: .intent),
            ])
        _ = try await fixture.store.append(node: "n", [group])
        try await fixture.endLeases(of: "n")
        _ = try await fixture.service.cancel(fixture.account, campaign)
        try await fixture.stores.feedback.take([first, second].map { bounce(tokens[Int($0)]) })
        let credits = try await fixture.status(campaign).credits
        #expect(credits == CampaignCredits(held: 0, charged: 1, released: 3, refunded: 1))
        let entry = try await fixture.records.pool.withConnection { [fixture] in
            try await fixture.ledger.entries(fixture.account, limit: 1, on: $0)
        }.first
        #expect(entry?.recipient == tokens[Int(first)].fingerprint.bytes)
    }

    @Test func `nothing is refunded after the time for it, nor of campaigns of before`() async throws {
        let late = try await fixture.sent(2)
        let tokens = try await tokens(late, 2)
        try await fixture.deliverAll()
        try await fixture.records.owner.query("UPDATE campaigns SET completed_at = now() - interval '59 minutes'")
        try await fixture.stores.feedback.take([bounce(tokens[0])])
        #expect(try await refunded(late) == 1)
        try await fixture.records.owner.query("UPDATE campaigns SET completed_at = now() - interval '61 minutes'")
        try await fixture.stores.feedback.take([bounce(tokens[1])])
        #expect(try await refunded(late) == 1)
        let older = try await fixture.sent(1)
        try await fixture.records.owner.query(
            "UPDATE campaigns SET refund_seconds = 0 WHERE campaign_id = \(older.rawValue)")
        try await fixture.deliverAll()
        try await fixture.stores.feedback.take([bounce(try await self.tokens(older, 1)[0])])
        #expect(try await refunded(older) == 0)
        #expect(try await fixture.store.giveRefunds() == 0)
    }

    @Test func `an account has a time of its own, a campaign the one it was sent under`() async throws {
        let campaigns = fixture.stores.campaigns
        let usual = try await fixture.sent(1)
        try await campaigns.setRefundTime(0, for: fixture.account)
        let none = try await fixture.sent(1)
        try await campaigns.setRefundTime(7_200, for: fixture.account)
        #expect(try await campaigns.refundTimes() == [fixture.account: 7_200])
        let long = try await fixture.sent(2)
        try await fixture.deliverAll()
        try await fixture.records.owner.query("UPDATE campaigns SET completed_at = now() - interval '119 minutes'")
        let late = try await tokens(long, 2)
        try await fixture.stores.feedback.take(
            [bounce(try await tokens(usual, 1)[0]), bounce(try await tokens(none, 1)[0]), bounce(late[0])])
        #expect(try await refunded(usual) == 0)
        #expect(try await refunded(none) == 0)
        #expect(try await refunded(long) == 1)
        try await fixture.records.owner.query("UPDATE campaigns SET completed_at = now() - interval '121 minutes'")
        try await fixture.stores.feedback.take([bounce(late[1])])
        #expect(try await refunded(long) == 1)
        // Neighbours keep theirs, and the account its former one once that is undone.
        try await campaigns.setRefundTime(nil, for: fixture.account)
        #expect(try await campaigns.refundTimes() == [:])
        // The first two are suppressed by now.
        let again = try await fixture.sent(3)
        try await fixture.deliverAll()
        try await fixture.stores.feedback.take([bounce(try await tokens(again, 3)[2])])
        #expect(try await refunded(again) == 1)
        #expect(try await fixture.stores.problemsOfBooks() == [])
    }

    @Test func `a time that is none, and an account that is none, are refused`() async throws {
        for seconds in [-1, 2_592_001, .max] {
            let error = await #expect(throws: CampaignError.self) {
                try await fixture.stores.campaigns.setRefundTime(seconds, for: fixture.account)
            }
            #expect(error?.code == .invalidSetting)
        }
        let error = await #expect(throws: CampaignError.self) {
            try await fixture.stores.campaigns.setRefundTime(60, for: AccountID(rawValue: 99))
        }
        #expect(error?.code == .notFound)
        #expect(try await fixture.stores.campaigns.refundTimes() == [:])
    }

    @Test func `where a batch cannot be read, nobody of its campaign is refunded`() async throws {
        let campaign = try await fixture.sent(3, batchSize: 1)
        let tokens = try await tokens(campaign, 3)
        try await fixture.records.owner.query(
            "UPDATE batch_recipients SET sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20)) WHERE batch_no = 2")
        try await fixture.deliverAll()
        _ = try await fixture.store.complete(fixture.account, campaign)
        try await fixture.stores.feedback.take(tokens.map { bounce($0) })
        #expect(try await refunded(campaign) == 0)
    }

    @Test func `where the key of a cancelled campaign is missing, nobody of it is refunded`() async throws {
        let campaign = try await fixture.sent(2)
        let tokens = try await tokens(campaign, 2)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        _ = try await fixture.store.append(node: "n", [batch.group([0: .delivered])])
        try await fixture.endLeases(of: "n")
        try await fixture.vaultDatabase.owner.query("DELETE FROM campaign_keys")
        fixture.vault.forget(fixture.account, campaign)
        _ = try await fixture.service.cancel(fixture.account, campaign)
        for (account, ended) in try await fixture.store.unfinishedCompletions() {
            _ = try await fixture.store.complete(account, ended)
        }
        try await fixture.stores.feedback.take(tokens.map { bounce($0) })
        #expect(try await fixture.store.giveRefunds() == 0)
        #expect(try await refunded(campaign) == 0)
    }

    @Test func `a locked account does not keep the others from their refunds`() async throws {
        let other = try await fixture.account("other", credits: 10)
        var campaigns: [(AccountID, CampaignID)] = []
        for account in [fixture.account, other] {
            let campaign = try await fixture.sent(1, account: account)
            campaigns.append((account, campaign))
            let fingerprinter = try await fixture.vault.accountKeys(account).fingerprinter
            let fingerprint = fingerprinter.fingerprint(try EmailAddress(CampaignFixture.addresses(0..<1)[0]))
            try await fixture.stores.feedback.take([
                bounce(RecipientToken(account: account, campaign: campaign, fingerprint: fingerprint))
            ])
        }
        try await fixture.deliverAll()
        let given = try await fixture.records.pool.withTransaction { [fixture] connection in
            try await fixture.ledger.lock(fixture.account, on: connection)
            return try await fixture.store.giveRefunds()
        }
        #expect(given == 1)
        #expect(try await fixture.balance(other).posted == 10)
        #expect(try await fixture.store.giveRefunds() == 1)
        #expect(try await fixture.balance().posted == 1_000)
    }

    @Test func `old facts are forgotten, and who was not charged once nobody is refunded`() async throws {
        let campaign = try await fixture.sent(2)
        let tokens = try await tokens(campaign, 2)
        try await fixture.deliverAll(outcome: .bounced)
        try await fixture.stores.feedback.take(tokens.map { bounce($0) })
        #expect(try await fixture.stores.feedback.sweep() == 0)
        #expect(try await fixture.stores.refunds.sweepUncharged() == 0)
        try await fixture.records.owner.query(
            "UPDATE feedback_facts SET noted_at = now() - interval '14 months 1 day' WHERE fingerprint = \(tokens[0].fingerprint.bytes)"
        )
        try await fixture.records.owner.query("UPDATE campaigns SET completed_at = now() - interval '26 hours'")
        #expect(try await fixture.stores.feedback.sweep() == 1)
        #expect(try await fixture.rows("feedback_facts", campaign) == 1)
        #expect(try await fixture.stores.refunds.sweepUncharged() == 2)
    }
}
