import Campaigns
import Logging
import MailTypes
import Postgres
import SMTPProtocol
import Synchronization
import TestDatabases
import TestPeers
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// A block burns nothing: real mail to a server that refuses its sender.
struct BlockTests {
    private static let block = SMTPReply(
        554, EnhancedStatusCode("5.7.1"), "Client host [192.0.2.1] blocked using a list, <person0@example.org>")

    @Test func `mail that is blocked is taken once the block is lifted, and nobody is suppressed`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, attempt in attempt <= 2 ? .recipient(Self.block) : .accept }
        // Too few for the campaign to be paused.
        let campaign = try await fixture.send(6)
        try await fixture.withEngine(to: server) { _ in
            // Customer and operator are told all the same.
            try await eventually("the campaign tells of its blocks") {
                try await fixture.service.get(fixture.account, campaign).blocks.first?.text.contains("blocked") == true
            }
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.delivered == 6)
            #expect(status.blocks.map(\.reply.code) == [554] && status.blocks.map(\.count) == [12])
        }
        for number in 0..<6 { #expect(try await fixture.suppression(of: number) == nil) }
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a campaign that is blocked everywhere is paused, says why, and goes on when it is resumed`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let isBlocked = Mutex(true)
        let server = MailServer { _, _ in isBlocked.withLock(\.self) ? .recipient(Self.block) : .accept }
        let campaign = try await fixture.send(60, batchSize: 60)
        try await fixture.withEngine(to: server) { _ in
            try await eventually("it is paused") {
                try await fixture.service.get(fixture.account, campaign).state == .paused
            }
            let paused = try await fixture.service.get(fixture.account, campaign)
            #expect(paused.counters.bounced == 0)
            let reason = try #require(paused.campaign.pauseReason)
            #expect(reason.contains("554 5.7.1") && reason.contains("blocked using a list"))
            #expect(!reason.contains("person0@example.org"))
            isBlocked.withLock { $0 = false }
            let resumed = try await fixture.service.resume(fixture.account, campaign)
            #expect(resumed.campaign.pauseReason == nil)
            #expect(try await fixture.end(of: campaign).counters.delivered == 60)
        }
        #expect(try await fixture.problemsOfBooks() == [])
    }

    // MARK: Nodes

    private static func watch(_ fixture: DeliveryFixture, _ metrics: DeliveryMetrics = DeliveryMetrics()) -> BlockWatch
    {
        BlockWatch(store: fixture.store, share: 0.3, metrics: metrics, logger: .silent)
    }

    private static func answer(
        _ watch: BlockWatch, _ batch: BatchID, blocks: Int, of answers: Int, isFirstAttempt: Bool = true
    ) {
        for number in 0..<answers {
            watch.answered(
                batch, isBlock: number < blocks, isFirstAttempt: isFirstAttempt,
                RecipientReply(code: 554, enhanced: EnhancedStatusCode("5.7.1"), text: "no, <person0@example.org>"))
        }
    }

    /// Another account, and a campaign of it with a batch.
    private static func other(_ fixture: DeliveryFixture) async throws -> BatchID {
        let account = try await fixture.anotherAccount(domain: "club.example")
        let campaign = try await fixture.send(4, of: account, from: "club.example")
        return BatchID(account: account, campaign: campaign, number: 1)
    }

    @Test(.timeLimit(.minutes(1))) func `a campaign that somebody has locked keeps no other from being paused`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let held = BatchID(account: fixture.account, campaign: try await fixture.send(4), number: 1)
        let free = try await Self.other(fixture)
        let watch = Self.watch(fixture)
        for batch in [held, free] { Self.answer(watch, batch, blocks: 50, of: 60) }
        func state(_ batch: BatchID) async throws -> CampaignState {
            try await fixture.service.get(batch.account, batch.campaign).state
        }
        try await fixture.records.owner.withTransaction { connection in
            try await connection.query(
                "SELECT FROM campaigns WHERE campaign_id = \(held.campaign.rawValue) FOR NO KEY UPDATE")
            await watch.tell()
            let states = (try await state(held), try await state(free))
            #expect(states == (.queued, .paused))
        }
        await watch.tell()
        #expect(try await state(held) == .paused)
    }

    @Test(.timeLimit(.minutes(1))) func `what is heard of a campaign whose counts somebody has locked is told later`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let held = BatchID(account: fixture.account, campaign: try await fixture.send(4), number: 1)
        let free = try await Self.other(fixture)
        let watch = Self.watch(fixture)
        func state(_ batch: BatchID) async throws -> CampaignState {
            try await fixture.service.get(batch.account, batch.campaign).state
        }
        // Too few for anything, but now there is a row.
        Self.answer(watch, held, blocks: 1, of: 1)
        await watch.tell()
        for batch in [held, free] { Self.answer(watch, batch, blocks: 50, of: 60) }
        try await fixture.records.owner.withTransaction { connection in
            try await connection.query(
                "SELECT FROM campaign_answers WHERE campaign_id = \(held.campaign.rawValue) FOR UPDATE")
            await watch.tell()
            let states = (try await state(held), try await state(free))
            #expect(states == (.queued, .paused))
        }
        await watch.tell()
        #expect(try await state(held) == .paused)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [Logger.Level.debug, .warning])
    func `a campaign that somebody has locked is no news, one that cannot be paused is`(_ level: Logger.Level)
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let batch = BatchID(account: fixture.account, campaign: try await fixture.send(4), number: 1)
        let log = Log()
        let watch = BlockWatch(store: fixture.store, share: 0.3, metrics: DeliveryMetrics(), logger: log.logger)
        Self.answer(watch, batch, blocks: 50, of: 60)
        try await fixture.records.owner.withTransaction { connection in
            if level == .debug {
                try await connection.query("SELECT FROM campaigns FOR NO KEY UPDATE")
            } else {
                try await connection.execute(
                    script: "REVOKE UPDATE ON campaigns FROM sluice_app; COMMIT; BEGIN")
            }
            await watch.tell()
        }
        if level == .warning {
            try await fixture.records.owner.query("GRANT UPDATE ON campaigns TO sluice_app")
        }
        #expect(log.lines.filter { $0.text.hasPrefix("blocked campaign not paused") }.map(\.level) == [level])
        await watch.tell()
        #expect(try await fixture.service.get(fixture.account, batch.campaign).state == .paused)
    }

    @Test(.timeLimit(.minutes(1))) func `an account that has its share of connections keeps no blocks from being told`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        var configuration = fixture.records.configuration()
        configuration.share = PoolShare(connections: 1)
        let records = PostgresPool(configuration: configuration, logger: .silent)
        let store = DeliveryStore(
            records: records, vault: fixture.vault, ledger: fixture.ledger, suppressions: fixture.suppressions,
            logger: .silent)
        let batch = BatchID(account: fixture.account, campaign: try await fixture.send(4), number: 1)
        let watch = BlockWatch(store: store, share: 0.3, metrics: DeliveryMetrics(), logger: .silent)
        Self.answer(watch, batch, blocks: 50, of: 60)
        await store.onBehalf(of: fixture.account) {
            // The only connection that it may have.
            try? await records.withConnection { _ in await watch.tell(of: batch) }
        }
        #expect(try await fixture.service.get(fixture.account, batch.campaign).state == .paused)
        await records.close()
    }

    @Test func `blocks that nodes meet one by one pause the campaign together`() async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(4)
        let batch = BatchID(account: fixture.account, campaign: campaign, number: 1)
        func state() async throws -> CampaignState { try await fixture.service.get(fixture.account, campaign).state }
        let metrics = DeliveryMetrics()
        let watches = [Self.watch(fixture, metrics), Self.watch(fixture, metrics)]
        Self.answer(watches[0], batch, blocks: 12, of: 12)
        await watches[0].tell()
        #expect(try await state() == .queued)
        Self.answer(watches[1], batch, blocks: 12, of: 20)
        #expect(watches[1].reports.map(\.count) == [12])
        await watches[1].tell(of: batch)
        #expect(try await state() == .paused)
        #expect(metrics.counts.blocks == 24 && metrics.counts.campaignsBlocked == 1)
        let status = try await fixture.service.get(fixture.account, campaign)
        #expect(status.campaign.pauseReason?.contains("554 5.7.1 no, ") == true)
        #expect(!status.blocks[0].text.contains("person0"))
        #expect(watches[1].reports.allSatisfy { !$0.reply.contains("person0") })
    }

    @Test func `a node that is blocked pauses no campaign whose mail the others deliver`() async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(4)
        let batch = BatchID(account: fixture.account, campaign: campaign, number: 1)
        let watches = [Self.watch(fixture), Self.watch(fixture)]
        Self.answer(watches[1], batch, blocks: 0, of: 200)
        await watches[1].tell()
        Self.answer(watches[0], batch, blocks: 30, of: 30)
        // Later attempts are refused again, and decide nothing.
        Self.answer(watches[0], batch, blocks: 90, of: 90, isFirstAttempt: false)
        await watches[0].tell()
        let status = try await fixture.service.get(fixture.account, campaign)
        #expect(status.state == .queued && status.blocks.map(\.count) == [120])
    }

    @Test func `what could not be told is told later`() async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(4)
        let watch = Self.watch(fixture)
        Self.answer(watch, BatchID(account: fixture.account, campaign: campaign, number: 1), blocks: 25, of: 25)
        try await fixture.records.owner.query("ALTER TABLE campaign_blocks RENAME TO elsewhere")
        await watch.tell()
        try await fixture.records.owner.query("ALTER TABLE elsewhere RENAME TO campaign_blocks")
        #expect(try await fixture.service.get(fixture.account, campaign).state == .queued)
        await watch.tell()
        let status = try await fixture.service.get(fixture.account, campaign)
        #expect(status.state == .paused && status.blocks.map(\.count) == [25])
    }

    @Test func `what stays blocked bounces after its attempts, with the reply`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, _ in .recipient(Self.block) }
        let campaign = try await fixture.send(3)
        try await fixture.withEngine(to: server, { $0.refusals.mostAttempts = 3 }) { _ in
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.bounced == 3)
        }
        #expect(server.attempts.values.allSatisfy { $0 == 3 })
        #expect(try await fixture.suppression(of: 0) == nil)
    }

    @Test func `with soft bounces an unknown mailbox is tried again`() async throws {
        let fixture = try await DeliveryFixture.make()
        let unknown = SMTPReply(550, EnhancedStatusCode("5.1.1"), "No such user")
        let server = MailServer { _, attempt in attempt <= 2 ? .recipient(unknown) : .accept }
        let campaign = try await fixture.send(3)
        try await fixture.withEngine(to: server, { $0.refusals.isSoft = true }) { _ in
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.delivered == 3)
        }
        #expect(try await fixture.suppression(of: 0) == nil)
    }
}
