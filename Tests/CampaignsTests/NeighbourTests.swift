import Campaigns
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing
import Vault

/// What one account, or one row of it, does to the others.
@Suite struct NeighbourTests {
    private func pool(
        _ database: TestDatabase, _ change: (inout PostgresConfiguration) -> Void = { _ in }
    ) -> PostgresPool {
        var configuration = database.configuration()
        configuration.limits.lock = .milliseconds(300)
        change(&configuration)
        return PostgresPool(configuration: configuration, logger: .silent)
    }

    private func store(_ fixture: CampaignFixture, _ records: PostgresPool, vault: Vault? = nil) -> DeliveryStore {
        DeliveryStore(
            records: records, vault: vault ?? fixture.vault, ledger: fixture.ledger, suppressions: fixture.suppressions,
            logger: .silent)
    }

    /// Runs a closure while somebody stands still with rows locked.
    private func holding<Value: Sendable>(
        _ rows: SQL, of fixture: CampaignFixture, _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        try await fixture.records.owner.withConnection { connection in
            try await connection.execute(script: "BEGIN")
            try await connection.query(rows)
            let value = try await body()
            try await connection.execute(script: "ROLLBACK")
            return value
        }
    }

    private func leases(_ fixture: CampaignFixture) async throws -> Int64 {
        try await fixture.records.owner.query("SELECT count(*) FROM batches WHERE lease_node IS NOT NULL").only
            .decode(column: 0, as: Int64.self)
    }

    private func states(_ fixture: CampaignFixture, _ campaign: CampaignID) async throws -> [Int16: Int64] {
        try await fixture.records.owner.query(
            "SELECT state, count(*) FROM batches WHERE campaign_id = \(campaign.rawValue) GROUP BY 1"
        ).reduce(into: [:]) { states, row in
            let (state, count) = try row.decode(Int16.self, Int64.self)
            states[state] = count
        }
    }

    // MARK: Locked rows

    @Test func `a batch whose campaign's row is locked goes back at once, and others are claimed`() async throws {
        let fixture = try await CampaignFixture.make()
        let other = try await fixture.account("other", credits: 100)
        let held = try await fixture.sent(1)
        let free = try await fixture.sent(1, account: other)
        let records = pool(fixture.records)
        let store = store(fixture, records)
        let claimed = try await holding(
            "SELECT FROM campaigns WHERE campaign_id = \(held.rawValue) FOR NO KEY UPDATE", of: fixture
        ) {
            let claimed = try await store.claim(node: "n", leaseSeconds: 60, limit: 8)
            #expect(try await leases(fixture) == 1)
            return claimed
        }
        #expect(claimed.map(\.id.campaign) == [free])
        try await eventually("the batch is due again") {
            try await store.claim(node: "n", leaseSeconds: 60, limit: 8).map(\.id.campaign) == [held]
        }
        #expect(try await fixture.status(held).campaign.state == .sending)
        await records.close()
    }

    @Test func `retries of other accounts are joined while somebody holds rows of one`() async throws {
        let fixture = try await CampaignFixture.make()
        let other = try await fixture.account("other", credits: 100)
        for account in [fixture.account, other] {
            _ = try await fixture.sent(32, account: account)
            for batch in try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 8) {
                // The last of each batch is to be tried again.
                let late = try #require(batch.records.last)
                let outcomes = Dictionary(
                    uniqueKeysWithValues: batch.records.dropLast().map { ($0.index, Outcome.delivered) })
                let group = batch.group(outcomes)
                let entries = [
                    JournalEntry(index: late.index, kind: .intent), JournalEntry(index: late.index, kind: .deferred),
                ]
                _ = try await fixture.store.append(
                    node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: group.entries + entries)])
                _ = try await fixture.store.settle(
                    batch.id, node: "n", epoch: batch.epoch,
                    BatchSettlement(results: batch.results(outcomes), deferred: [late], retryInSeconds: 600))
            }
        }
        let records = pool(fixture.records)
        let store = store(fixture, records)
        let joined = try await holding(
            "SELECT FROM accounts WHERE account_id = \(fixture.account.rawValue) FOR UPDATE", of: fixture
        ) { try await store.coalesceRetries() }
        #expect(joined == 8)
        #expect(try await fixture.store.coalesceRetries() == 8)
        await records.close()
    }

    // MARK: The vault is away

    @Test func `batches go back at once while the vault is away, and are claimed when it is back`() async throws {
        let fixture = try await CampaignFixture.make()
        _ = try await fixture.sent(3, batchSize: 1)
        let records = pool(fixture.records)
        // Of another process, which has no keys in memory.
        let vaultPool = pool(fixture.vaultDatabase) { $0.acquireTimeout = .milliseconds(300) }
        let vault = Vault(pool: vaultPool, records: records, masterKey: fixture.stores.masterKey)
        let store = store(fixture, records, vault: vault)
        let administrator = try await PostgresConnection.connect(fixture.records.configuration(role: "postgres"))
        let name = fixture.vaultDatabase.name
        try await administrator.execute(script: "ALTER DATABASE \(name) ALLOW_CONNECTIONS false")
        await #expect(throws: PostgresError.self) { try await store.claim(node: "n", leaseSeconds: 60, limit: 8) }
        #expect(try await leases(fixture) == 0)
        try await administrator.execute(script: "ALTER DATABASE \(name) ALLOW_CONNECTIONS true")
        let back = ContinuousClock.now
        var claimed = 0
        while claimed < 3, .now < back + .seconds(10) {
            claimed += try await store.claim(node: "n", leaseSeconds: 60, limit: 8).count
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(claimed == 3)
        #expect(ContinuousClock.now - back < .seconds(5))
        await administrator.close()
        await records.close()
        await vaultPool.close()
    }

    // MARK: Pauses

    @Test func `a pause changes only the batches at work, and nothing of the campaign is claimed until it goes on`()
        async throws
    {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(50, batchSize: 1)
        let batches = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 2)
        _ = try await fixture.service.pause(fixture.account, campaign)
        #expect(try await states(fixture, campaign) == [1: 48, 2: 2])
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 8).isEmpty)
        // Nobody looks again and again for what is not to be claimed.
        #expect(try await fixture.records.owner.query("SELECT FROM account_queue").isEmpty)
        for batch in batches {
            try await fixture.store.park(batch.id, node: "n", epoch: batch.epoch, dueInSeconds: 0)
        }
        _ = try await fixture.service.resume(fixture.account, campaign)
        #expect(try await states(fixture, campaign) == [1: 50])
        try await fixture.deliverAll()
        #expect(try await fixture.status(campaign).campaign.counters.delivered == 50)
    }

    @Test func `a batch that was claimed beside the pause is told of it`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(2, batchSize: 1)
        let batches = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1)
        // The pause has not seen the claim, and the claim not the pause.
        try await fixture.records.owner.query(
            "UPDATE campaigns SET state = 'paused', paused_at = now() WHERE campaign_id = \(campaign.rawValue)")
        let stopped = try await fixture.store.stopped(node: "n")
        #expect(stopped.map(\.batch) == batches.map(\.id))
        #expect(stopped.map(\.work) == [.paused])
    }

    @Test func `a campaign that an earlier version paused goes on`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(3, batchSize: 1)
        _ = try await fixture.service.pause(fixture.account, campaign)
        try await fixture.records.owner.query("UPDATE batches SET state = 2")
        _ = try await fixture.service.resume(fixture.account, campaign)
        try await fixture.deliverAll()
        #expect(try await fixture.status(campaign).campaign.counters.delivered == 3)
    }
}
