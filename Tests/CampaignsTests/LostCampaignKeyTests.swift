import Campaigns
import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import TestSupport
import Testing
import Vault

/// Campaigns whose key in the vault is missing, damaged or another one.
@Suite struct LostCampaignKeyTests {
    enum Fault: CaseIterable {
        case missing, damaged, another

        func apply(to campaign: CampaignID, _ fixture: CampaignFixture) async throws {
            switch self {
            case .missing: try await fixture.vaultDatabase.owner.query("DELETE FROM campaign_keys")
            case .damaged:
                // The vault refuses such a change; a disk does not ask.
                try await fixture.vaultDatabase.owner.query("ALTER TABLE campaign_keys DISABLE TRIGGER USER")
                try await fixture.vaultDatabase.owner.query(
                    "UPDATE campaign_keys SET wrapped = set_byte(wrapped, 20, 255 - get_byte(wrapped, 20))")
                try await fixture.vaultDatabase.owner.query("ALTER TABLE campaign_keys ENABLE TRIGGER USER")
            case .another:
                try await fixture.vaultDatabase.owner.query("DELETE FROM campaign_keys")
                fixture.vault.forget(fixture.account, campaign)
                _ = try await fixture.vault.createCampaignKey(fixture.account, campaign)
            }
            if self != .another { fixture.vault.forget(fixture.account, campaign) }
        }
    }

    enum Stage: CaseIterable {
        case beforeTheFirstClaim, afterSomeOutcomes, retryBatch, whilePaused
    }

    /// Of a campaign of four in two batches: recipients with an outcome, and those delivered.
    private func prepare(_ stage: Stage, _ fixture: CampaignFixture) async throws -> (CampaignID, delivered: Int) {
        let campaign = try await fixture.sent(4, batchSize: 2)
        switch stage {
        case .beforeTheFirstClaim: return (campaign, 0)
        case .whilePaused:
            _ = try await fixture.service.pause(fixture.account, campaign)
            return (campaign, 0)
        case .afterSomeOutcomes, .retryBatch:
            let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
            let entries = [
                JournalEntry(index: 0, kind: .outcome(.delivered)),
                JournalEntry(index: 1, kind: stage == .retryBatch ? .deferred : .intent),
            ]
            _ = try await fixture.store.append(
                node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
            if stage == .retryBatch {
                _ = try await fixture.store.settle(
                    batch.id, node: "n", epoch: batch.epoch,
                    BatchSettlement(
                        results: [RecipientResult(index: 0, outcome: .delivered)], deferred: [batch.records[1]],
                        retryInSeconds: 0))
            }
            try await fixture.endLeases(of: "n")
            return (campaign, 1)
        }
    }

    @Test(arguments: Fault.allCases, Stage.allCases)
    func `such a campaign ends in doubt, with its expiry at the latest, pays what it delivered and is purged`(
        _ fault: Fault, _ stage: Stage
    ) async throws {
        let fixture = try await CampaignFixture.make()
        let (campaign, delivered) = try await prepare(stage, fixture)
        try await fault.apply(to: campaign, fixture)
        let isReported = try await fixture.store.campaignProblems(limit: 10).map(\.campaign) == [campaign]
        #expect(isReported)
        if stage == .whilePaused {
            #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 8).isEmpty)
            _ = try await fixture.service.resume(fixture.account, campaign)
        }
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 8).isEmpty)
        if fault != .another {
            // Somebody may bring the key back.
            #expect(try await fixture.status(campaign).counters.pending > 0)
            #expect(fixture.store.unopenedBatches == 2)
            try await fixture.records.owner.query("UPDATE campaigns SET expires_at = clock_timestamp()")
            try await fixture.records.owner.query("UPDATE batches SET due_at = now() WHERE state = 1")
            try await fixture.records.owner.query("UPDATE account_queue SET next_due = now()")
            #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 8).isEmpty)
        }
        try await expectEnd(of: campaign, delivered: delivered, fixture)
    }

    @Test(arguments: Fault.allCases, Stage.allCases)
    func `it can be cancelled`(_ fault: Fault, _ stage: Stage) async throws {
        let fixture = try await CampaignFixture.make()
        let (campaign, delivered) = try await prepare(stage, fixture)
        try await fault.apply(to: campaign, fixture)
        _ = try await fixture.service.cancel(fixture.account, campaign)
        try await expectEnd(of: campaign, delivered: delivered, fixture)
    }

    /// What the doctor looks at goes on.
    @Test(.timeLimit(.minutes(1))) func `a campaign that ends while it is looked at has no problem`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(1)
        let found = try await fixture.records.owner.withTransaction { connection in
            try await connection.query("LOCK TABLE campaign_content IN ACCESS EXCLUSIVE MODE")
            async let problems = fixture.store.campaignProblems(limit: 10)
            try await eventually("the campaign was listed, and its message is asked for") {
                try await fixture.records.pool.query(
                    """
                    SELECT count(*) FROM pg_locks
                    WHERE relation = 'campaign_content'::regclass AND mode = 'AccessShareLock' AND NOT granted
                    """
                ).only.decode(Int64.self) > 0
            }
            try await fixture.vaultDatabase.owner.query("DELETE FROM campaign_keys")
            fixture.vault.forget(fixture.account, campaign)
            try await connection.query("UPDATE campaigns SET results_until = clock_timestamp() + interval '1 day'")
            try await connection.execute(script: "COMMIT; BEGIN")
            return try await problems
        }
        #expect(found.map(\.detail) == [])
    }

    private func expectEnd(of campaign: CampaignID, delivered: Int, _ fixture: CampaignFixture) async throws {
        let counters = try await fixture.status(campaign).counters
        #expect(counters.finished == 4 && counters.delivered == delivered)
        #expect(counters.inDoubt + counters.cancelled == 4 - delivered)
        for (account, ended) in try await fixture.store.unfinishedCompletions() {
            _ = try await fixture.store.complete(account, ended)
        }
        #expect(try await fixture.service.certificate(fixture.account, campaign) != nil)
        #expect(try await fixture.balance() == CreditBalance(posted: Int64(1_000 - delivered), held: 0, limit: 0))
        #expect(try await fixture.problemsOfBooks() == [])
    }
}
