import Campaigns
import CreditLedger
import DNSResolution
import Feedback
import MailTypes
import Postgres
import SMTPProtocol
import TestDatabases
import TestPeers
import TestStores
import TestSupport
import Testing
import TrafficShaping
import Vault

@testable import Delivery

/// Test mail has no way out, and its recipients do as their addresses say (decision 0126).
@Suite struct TestMailTests {
    @Test(
        arguments: [
            ("ada@example.org", nil), ("bounce@example.org", .bounce), ("Bounce+7@simulator.test", .bounce),
            ("bounces@example.org", nil), ("a+bounce@example.org", nil), ("suppressed@x.test", .suppressed),
            ("complaint+a+b@x.test", .complaint), ("defer@x.test", .deferral), ("BLOCK@x.test", .block),
            ("unsubscribe@x.test", .unsubscribe), (#""bounce"@x.test"#, .bounce),
        ] as [(String, TestRecipient?)]) func `the local part says what becomes of mail`(
            _ address: String, _ kind: TestRecipient?
        ) throws
    {
        #expect(try TestRecipient(EmailAddress(address)) == kind)
    }

    /// Each reply must mean to the classifier what its address promises.
    @Test func `replies of test mail are understood as live ones are`() throws {
        let provider = Provider.relay(limits: LaneLimits())
        let bounce = TestReceiver.report(try EmailAddress("bounce@x.test"), attempt: 1)
        #expect(bounce.finding == .missing)
        let block = TestReceiver.report(try EmailAddress("block@x.test"), attempt: 1)
        #expect(Refusal(block, provider)?.isBlock == true && block.finding == .nothing)
        let later = try EmailAddress("defer@x.test")
        #expect(TestReceiver.report(later, attempt: 1).verdict == .temporary)
        #expect(TestReceiver.report(later, attempt: 2).verdict == .accepted)
    }

    private static let kinds: [(address: String, outcome: String)] = [
        ("ada@dead.example", "delivered"), ("bounce+1@dead.example", "bounced"),
        ("suppressed@dead.example", "suppressed"), ("complaint@simulator.test", "delivered"),
        ("defer@simulator.test", "delivered"), ("block@simulator.test", "bounced"),
        ("unsubscribe@simulator.test", "delivered"),
    ]

    /// The way out leads to a server that notes whoever comes.
    @Test func `a test campaign beside a live one reaches no host, and its recipients do as they are called`()
        async throws
    {
        let fixture = try await DeliveryFixture.make(resultsFor: 600, trustsDomains: false)
        try await fixture.records.owner.query("UPDATE domains SET state = 'verified'")
        // Its domain is proven by nobody.
        let test = try await fixture.stores.testAccount(of: fixture.account, domain: "shop.example")
        let server = MailServer { _, _ in .accept }
        try await server.run { port in
            let live = try await fixture.send(3)
            let trial = try await fixture.send(
                0, batchSize: 3, of: test, to: Self.kinds.map(\.address))
            let running = RunningEngine(fixture.engine(port: port))
            try await eventually("the live one ends") {
                try await fixture.service.get(fixture.account, live).campaign.hasEnded
            }
            try await eventually("the test ends") { try await fixture.service.get(test, trial).campaign.hasEnded }
            let page = try await fixture.service.recipients(test, trial)
            #expect(
                Dictionary(uniqueKeysWithValues: page.recipients.map { ($0.email, $0.fate.name) })
                    == Dictionary(uniqueKeysWithValues: Self.kinds.map { ($0.address, $0.outcome) }))
            let status = try await fixture.service.get(test, trial)
            #expect(status.credits == CampaignCredits(held: 0, charged: 0, released: 0))
            #expect(status.blocks.isEmpty)
            try await eventually("complaint and wish are taken in") {
                try await fixture.suppressions.find(EmailAddress("unsubscribe@simulator.test"), account: test) != nil
            }
            func reason(_ address: String, _ account: AccountID) async throws -> SuppressionReason? {
                try await fixture.suppressions.find(EmailAddress(address), account: account)?.reason
            }
            for (address, expected) in [
                ("bounce+1@dead.example", SuppressionReason.hardBounce), ("complaint@simulator.test", .complaint),
                ("unsubscribe@simulator.test", .unsubscribe),
            ] {
                #expect(try await reason(address, test) == expected, "\(address)")
                #expect(try await reason(address, fixture.account) == nil, "a live address is not touched")
            }
            #expect(try await reason("ada@dead.example", test) == nil)
            try await running.drain()
            // The operator's numbers have the live mail alone.
            #expect(Set(server.attempts.keys) == Set(DeliveryFixture.addresses(3)))
            server.release()
        }
        #expect(try await fixture.hours() == [fixture.account.rawValue])
        #expect(try await fixture.problemsOfBooks().isEmpty)
        #expect(try await fixture.balance().posted == DeliveryFixture.credits - 3)
    }

    /// The node dies between an outcome's commit and what its recipient says: facts of feedback are locked by somebody else.
    @Test func `complaints and wishes outlive the node that has sent the mail`() async throws {
        let fixture = try await DeliveryFixture.make()
        let test = try await fixture.stores.testAccount(of: fixture.account, domain: "shop.example")
        let addresses = ["complaint@simulator.test", "unsubscribe@simulator.test"]
        let trial = try await fixture.send(0, batchSize: addresses.count, of: test, to: addresses)
        try await fixture.records.owner.withTransaction { connection in
            try await connection.query("LOCK TABLE feedback_facts IN ACCESS EXCLUSIVE MODE")
            let dead = RunningEngine(fixture.engine("dead", port: 1) { $0.leaseSeconds = 2 })
            try await eventually("all outcomes are committed") {
                try await fixture.service.get(test, trial).counters.delivered == 2
            }
            dead.kill()
            await dead.waitForDeath()
        }
        func reason(_ address: String) async throws -> SuppressionReason? {
            try await fixture.suppressions.find(EmailAddress(address), account: test)?.reason
        }
        for address in addresses { #expect(try await reason(address) == nil) }
        try await fixture.withEngine("other", port: 1) { _ in
            try await eventually("the test ends") { try await fixture.service.get(test, trial).campaign.hasEnded }
        }
        #expect(try await reason(addresses[0]) == .complaint)
        #expect(try await reason(addresses[1]) == .unsubscribe)
        #expect(try await fixture.facts(of: test) == 2)
        #expect(try await fixture.service.get(test, trial).counters.inDoubtResent == 0)
    }

    /// A node that delivers directly, and a name server that hears whatever it asks.
    @Test func `no name is asked for`() async throws {
        let fixture = try await DeliveryFixture.make()
        let test = try await fixture.stores.testAccount(of: fixture.account, domain: "shop.example")
        let names = try Socket()
        let resolver = try Resolver(
            ResolverConfiguration(
                forwarders: [try #require(DNSServer("127.0.0.1:\(names.port)"))], timeout: .milliseconds(500)))
        let trial = try await fixture.send(0, of: test, to: Self.kinds.map(\.address))
        let running = RunningEngine(fixture.engine(port: 25, resolver: resolver) { $0.smarthosts = [] })
        try await eventually("it has ended") { try await fixture.service.get(test, trial).campaign.hasEnded }
        #expect(names.receive(milliseconds: 0) == nil)
        // The same to a live recipient asks at once, so the silence means something.
        _ = try await fixture.send(1)
        try await eventually("a live mail asks") { names.receive(milliseconds: 100) != nil }
        try await running.drain()
    }

    /// A hand in the tables, or a node of the version before that has put it there.
    @Test func `a test batch that comes to a live claim goes back unsent`() async throws {
        let fixture = try await DeliveryFixture.make()
        let test = try await fixture.stores.testAccount(of: fixture.account, domain: "shop.example")
        let server = MailServer { _, _ in .accept }
        let trial = try await fixture.send(2, of: test)
        try await fixture.records.owner.query("DELETE FROM test_queue")
        try await fixture.records.owner.query(
            "INSERT INTO account_queue (account_id, next_due) VALUES (\(test.rawValue), now())")
        try await fixture.withEngine(to: server) { _ in
            try await eventually("it was given back") {
                try await fixture.records.owner.query(
                    """
                    SELECT count(*) FROM batches WHERE campaign_id = \(trial.rawValue) AND epoch > 0 AND lease_node IS NULL
                    """
                ).only.decode(Int.self) == 1
            }
        }
        #expect(server.attempts.isEmpty)
        #expect(try await fixture.service.get(test, trial).counters.pending == 2)
    }

    @Test func `a paused test campaign stands still, and a cancelled one ends`() async throws {
        let fixture = try await DeliveryFixture.make()
        let test = try await fixture.stores.testAccount(of: fixture.account, domain: "shop.example")
        let trial = try await fixture.send(300, batchSize: 300, of: test)
        try await fixture.withEngine(port: 1) { _ in
            try await eventually("it has begun") {
                try await fixture.service.get(test, trial).counters.delivered > 0
            }
            _ = try await fixture.service.pause(test, trial)
            try await eventually("it is given back") { try await fixture.leases() == 0 }
            let delivered = try await fixture.service.get(test, trial).counters.delivered
            #expect(delivered < 300)
            _ = try await fixture.service.resume(test, trial)
            try await eventually("it goes on") {
                try await fixture.service.get(test, trial).counters.delivered > delivered
            }
            _ = try await fixture.service.cancel(test, trial)
            try await eventually("it ends") { try await fixture.service.get(test, trial).campaign.hasEnded }
        }
        let counters = try await fixture.service.get(test, trial).counters
        #expect(counters.delivered + counters.cancelled == 300 && counters.cancelled > 0)
    }

    @Test func `test batches leave live mail its room`() throws {
        var configuration = DeliveryConfiguration(node: "node", heloName: "out.example.net")
        configuration.waitingMails = 2 * MailLimits.batchRecipients
        var state = Workload()
        let live = try BatchRun.sample(MailLimits.batchRecipients)
        state.activeBatches = 1
        state.runs[live.batch.id] = live
        #expect(state.appetite(configuration, FleetState()) == 1 && state.hasLiveMailWaiting)
        let trial = try BatchRun.sample(MailLimits.batchRecipients, of: live.batch.id.account.test)
        state.runs[trial.batch.id] = trial
        #expect(state.appetite(configuration, FleetState()) == 1)
        state.runs[live.batch.id] = nil
        state.activeBatches = 0
        #expect(state.appetite(configuration, FleetState()) == 2 && !state.hasLiveMailWaiting)
    }
}

extension DeliveryFixture {
    fileprivate func facts(of account: AccountID) async throws -> Int {
        try await records.owner.query(
            "SELECT count(*) FROM feedback_facts WHERE account_id = \(account.rawValue)"
        ).only.decode(Int.self)
    }

    /// Whose mail brakes would count.
    fileprivate func hours() async throws -> Set<Int64> {
        Set(
            try await records.owner.query("SELECT DISTINCT account_id FROM feedback_hours").map {
                try $0.decode(Int64.self)
            })
    }
}
