import Campaigns
import CreditLedger
import Fleet
import MailSigning
import MailTypes
import Postgres
import SendingDomains
import Synchronization
import TestDatabases
import TestPeers
import TestSupport
import Testing
import TrafficShaping
import Vault

@testable import Delivery

/// What limits, sources and the operator's settings do to real mail.
struct ShapingTests {
    @Test func `mail that would wait too long goes back to the store, and counts no attempt`() async throws {
        let fixture = try await DeliveryFixture.make()
        // The first answer is held, so the only connection is busy for a while.
        let isFirst = Mutex(true)
        let server = MailServer { _, _ in
            isFirst.withLock { isFirst in
                defer { isFirst = false }
                return isFirst ? .held : .accept
            }
        }
        let campaign = try await fixture.send(6, batchSize: 3)
        try await fixture.withEngine(
            to: server, { $0.laneLimits = LaneLimits(connections: 1, queueSeconds: 0.5) }
        ) { _ in
            try await eventually("the others are given back") {
                try await fixture.counters(campaign).deferred == 5
            }
            #expect(server.heldCount == 1)
            // Nobody waits in this node any more; whoever comes back does so within seconds.
            server.release()
            try await fixture.records.owner.query("UPDATE batches SET due_at = clock_timestamp() WHERE epoch = 0")
            try await fixture.records.owner.query("UPDATE account_queue SET next_due = clock_timestamp()")
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.delivered == 6)
        }
        let copies = server.copies
        #expect(copies.count == 6 && copies.values.max() == 1)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a connection carries so many mails and no more, also while others wait`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = try HostileServer { $0.behave() }
        defer { server.stop() }
        let campaign = try await fixture.send(12, batchSize: 12)
        try await fixture.withEngine(
            port: server.port, { $0.laneLimits = LaneLimits(connections: 1, messagesPerConnection: 5) }
        ) { _ in
            try await fixture.end(of: campaign)
        }
        #expect(server.connections == 3)
        #expect(server.copies.count == 12 && server.copies.values.max() == 1)
    }

    @Test func `mail leaves from the sources of its account's pool`() async throws {
        let fixture = try await DeliveryFixture.make()
        try await fixture.records.pool.withConnection { connection in
            try await FleetStore.set(AccountShaping(pool: "shop"), for: fixture.account, on: connection)
        }
        let server = MailServer()
        let campaign = try await fixture.send(40, batchSize: 40)
        let sources = [("127.0.0.2", "shop"), ("127.0.0.3", "shop"), ("127.0.0.4", "default")].map {
            MailSource(address: $0, heloName: "out.example.net", pool: $1)
        }
        try await fixture.withEngine(
            to: server,
            { configuration in
                configuration.sources = Dictionary(
                    uniqueKeysWithValues: ["shop", "default"].map { ($0, SourcePool(name: $0, sources: sources)) })
            }
        ) { _ in
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.delivered == 40)
        }
        #expect(server.peers == ["127.0.0.2", "127.0.0.3"])
    }

    @Test func `a campaign's pool comes before its account's, and keeps to warm-up`() async throws {
        let fixture = try await DeliveryFixture.make()
        try await fixture.records.pool.withConnection { connection in
            try await FleetStore.set(
                AccountShaping(pool: "shop", campaignPools: ["news"]), for: fixture.account, on: connection)
        }
        let today = DeliveryClock.system.day
        let server = MailServer()
        let campaign = try await fixture.send(20, batchSize: 20, sourcePool: "news")
        let sources = [
            MailSource(address: "127.0.0.2", heloName: "out.example.net", pool: "shop"),
            MailSource(
                address: "127.0.0.3", heloName: "new.example.net", weight: 1_000, pool: "news",
                warmUp: WarmUpSchedule(startDay: today, dailyAllowances: [4, 4, 4])),
            MailSource(address: "127.0.0.4", heloName: "news.example.net", pool: "news"),
        ]
        try await server.run { port in
            // A node without the pool leaves the mail to one that has it, whatever else it has.
            for (node, names) in [("bare", []), ("other", ["shop"])] {
                try await fixture.withEngine(node, port: port, { $0.sources = Self.pools(names, sources) }) { _ in
                    try await eventually("all wait") { try await fixture.counters(campaign).deferred == 20 }
                }
            }
            #expect(server.peers.isEmpty)
            try await fixture.records.owner.query("UPDATE batches SET due_at = clock_timestamp()")
            try await fixture.records.owner.query("UPDATE account_queue SET next_due = clock_timestamp()")
            try await fixture.withEngine(port: port, { $0.sources = Self.pools(["shop", "news"], sources) }) { _ in
                let counters = try await fixture.end(of: campaign).counters
                #expect(counters.delivered == 20)
                try await eventually("the database knows what was sent") {
                    try await fixture.fleet.countUsage([:], onDay: today).values.reduce(0, +) > 0
                }
            }
        }
        #expect(server.peers == ["127.0.0.3", "127.0.0.4"])
        let sent = try await fixture.fleet.countUsage([:], onDay: today)
        #expect(sent == [SourceUsage(source: "127.0.0.3", provider: "route"): 4])
    }

    private static func pools(_ names: [String], _ sources: [MailSource]) -> [String: SourcePool] {
        Dictionary(uniqueKeysWithValues: names.map { ($0, SourcePool(name: $0, sources: sources)) })
    }

    @Test func `a source that warms up stops at its allowance, and the rest goes by the others`() async throws {
        let fixture = try await DeliveryFixture.make()
        let today = DeliveryClock.system.day
        let server = MailServer()
        let campaign = try await fixture.send(30, batchSize: 30)
        let sources = [
            MailSource(
                address: "127.0.0.5", heloName: "new.example.net", weight: 1_000, pool: "default",
                warmUp: WarmUpSchedule(startDay: today, dailyAllowances: [4, 4, 4])),
            MailSource(address: "127.0.0.6", heloName: "warm.example.net", pool: "default"),
        ]
        try await fixture.withEngine(
            to: server, { $0.sources = ["default": SourcePool(name: "default", sources: sources)] }
        ) { _ in
            #expect(try await fixture.end(of: campaign).counters.delivered == 30)
            try await eventually("the database knows what was sent") {
                try await fixture.fleet.countUsage([:], onDay: today).values.reduce(0, +) > 0
            }
        }
        let sent = try await fixture.fleet.countUsage([:], onDay: today)
        #expect(sent == [SourceUsage(source: "127.0.0.5", provider: "route"): 4])
        #expect(server.peers == ["127.0.0.5", "127.0.0.6"])
    }

    @Test func `a node that is not alone asks for its part, and one that is alone does not`() async throws {
        let fleet = FleetState()
        let asked = Asked()
        let rate = SiteRate(site: "a", rate: MessageRate(10, per: .second), fleet: fleet, clock: .system) {
            _, _, wanted in
            await asked.add(wanted)
            return wanted
        }
        #expect(rate.take(forQueued: 5, at: 0))
        #expect(await asked.calls.isEmpty)

        let fixture = try await DeliveryFixture.make()
        for node in ["x", "y"] {
            try await fixture.store.beginIncarnation(of: node)
        }
        try await fleet.refresh(from: fixture.fleet, node: "x", aliveSeconds: 30, pools: [], clock: .system)
        #expect(fleet.nodes == 2)
        #expect(!rate.take(forQueued: 5, at: DeliveryClock.after(0)))
        // What is decided inside a lane's lock is done after it.
        #expect(await asked.calls.isEmpty)
        rate.carryOut()
        try await eventually("tokens are leased") { rate.take(forQueued: 5, at: DeliveryClock.after(0)) }
        #expect(await asked.calls == [5])
    }

    private actor Asked {
        var calls: [Int] = []
        func add(_ count: Int) { calls.append(count) }
    }

    @Test func `an account at the cap of its rate is not claimed`() async throws {
        var pacer = AccountPacer()
        let capped = AccountID(rawValue: 1)
        #expect(pacer.waiting(at: 0) == [])
        pacer.claimed(100, of: capped, rate: 50, at: 0)
        #expect(pacer.waiting(at: 0.5) == [capped])
        #expect(pacer.waiting(at: 0.99) == [capped])
        // A second's worth is claimed ahead.
        #expect(pacer.waiting(at: 1.01) == [])
        pacer.claimed(100, of: capped, rate: 50, at: 1.5)
        #expect(pacer.waiting(at: 2.9) == [capped])
        #expect(pacer.waiting(at: 3.1) == [])

        let fixture = try await DeliveryFixture.make()
        _ = try await fixture.send(2)
        let none = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1, waiting: [fixture.account])
        #expect(none.isEmpty)
        let one = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1)
        #expect(one.count == 1)
    }

    @Test(.timeLimit(.minutes(1))) func `a capped account has its rate, and keeps nobody else waiting`() async throws {
        let fixture = try await DeliveryFixture.make()
        let other = try await fixture.records.pool.withTransaction { connection in
            try await FleetStore.set(AccountShaping(rate: 10), for: fixture.account, on: connection)
            let other = try await fixture.ledger.createAccount(name: "other", on: connection)
            try await fixture.vault.createAccountKey(other, on: connection)
            try await fixture.ledger.grant(10, to: other, key: "first", memo: "test", on: connection)
            return other
        }
        _ = try await fixture.domains.add(other, DomainName("other.example"), algorithms: [.ed25519SHA256])
        let server = MailServer()
        // Waits longer than the lane would keep mail that waits for its site, and more than the node likes to have.
        let capped = try await fixture.send(60, batchSize: 30)
        let start = ContinuousClock.now
        try await fixture.withEngine(
            to: server,
            {
                $0.laneLimits = LaneLimits(connections: 2, queueSeconds: 0.5)
                $0.waitingMails = 10
            }
        ) { _ in
            try await eventually("the capped campaign is under way") { !server.mails.isEmpty }
            let quick = try await fixture.send(8, of: other, from: "other.example")
            try await eventually("the other account's mail has gone") {
                try await fixture.service.get(other, quick).campaign.purgedAt != nil
            }
            #expect(try await fixture.counters(capped).delivered < 60)
            let counters = try await fixture.end(of: capped).counters
            #expect(counters.delivered == 60)
        }
        // Ten at once, then ten a second.
        #expect((.seconds(4.5)...(.seconds(12))).contains(ContinuousClock.now - start))
    }

    @Test func `all nodes together keep to a campaign's rate`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        // Ten a second, in batches of four.
        let campaign = try await fixture.send(24, ratePerHour: 36_000)
        let other = try await fixture.send(4)
        let start = ContinuousClock.now
        try await server.run { port in
            try await fixture.withEngine("a", port: port) { _ in
                try await fixture.withEngine("b", port: port) { _ in
                    // One without a cap does not wait for it.
                    try await fixture.end(of: other)
                    #expect(try await fixture.counters(campaign).delivered < 24)
                    let status = try await fixture.end(of: campaign)
                    #expect(status.counters.delivered == 24)
                }
            }
        }
        // The first four at once, the others 0.4 s after those before them.
        #expect(ContinuousClock.now - start >= .seconds(2))
    }

    @Test func `a capped campaign gives a batch at a time, whatever node asks and however often`() async throws {
        let fixture = try await DeliveryFixture.make()
        _ = try await fixture.send(8, ratePerHour: 7_200)
        #expect(try await fixture.store.claim(node: "a", leaseSeconds: 60, limit: 8).count == 1)
        for node in ["a", "b"] {
            #expect(try await fixture.store.claim(node: node, leaseSeconds: 60, limit: 8).isEmpty)
        }
        // Four mails have two seconds.
        let wait = try await fixture.records.owner.query(
            "SELECT extract(epoch FROM next_due - clock_timestamp())::double precision FROM account_queue"
        ).only.decode(column: 0, as: Double.self)
        #expect(wait > 0.5 && wait <= 2)
        try await fixture.records.owner.query("UPDATE campaign_paces SET free_at = clock_timestamp()")
        try await fixture.records.owner.query("UPDATE account_queue SET next_due = clock_timestamp()")
        #expect(try await fixture.store.claim(node: "b", leaseSeconds: 60, limit: 8).count == 1)
    }
}
