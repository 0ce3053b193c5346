import Campaigns
import MailTypes
import Postgres
import SendingDomains
import TestDatabases
import TestStores
import TestSupport
import Testing

/// What becomes of a domain, and of its campaigns, as its records come and go.
@Suite struct RecheckTests {
    @Test func `a waiting domain is found in the background`() async throws {
        let fixture = try await DomainFixture.make()
        let domain = try await fixture.add("shop.example")
        try await fixture.with("") { verifier in
            let count = try await verifier.recheck()
            #expect(count == 1)
        }
        #expect(try await fixture.state("shop.example") == .pending)
        try await fixture.with(domain.zone) { verifier in
            #expect(try await verifier.recheck() == 0, "it is not due yet")
            try await fixture.pass(hours: 1)
            #expect(try await verifier.recheck() == 1)
        }
        #expect(try await fixture.state("shop.example") == .verified)
    }

    @Test func `a record that is gone warns, stops after the grace time and pauses what is under way`() async throws {
        let fixture = try await DomainFixture.make()
        let campaigns = fixture.stores.campaigns
        let domain = try await fixture.add("shop.example")
        _ = try await fixture.add("news.shop.example")
        try await fixture.with(domain.zone) { _ = try await $0.verify(fixture.account, domain.domain) }
        let campaign = try await fixture.send(from: "shop.example")
        let below = try await fixture.send(from: "news.shop.example")
        func sending() async throws -> Bool {
            #expect(try await campaigns.pauseUnproven() == 0)
            return try await campaigns.get(fixture.account, campaign).state == .queued
        }
        try await fixture.with("") { verifier in
            try await fixture.pass(hours: 10)
            #expect(try await verifier.recheck() == 2)
            let failing = try await fixture.domains.get(fixture.account, domain.domain)
            #expect(failing.standing.state == .failing && failing.sends)
            #expect(failing.standing.stopsAt == failing.standing.failingSince.map { $0 + 72 * 3_600 })
            #expect(try await sending())
            try await fixture.pass(hours: 71)
            _ = try await verifier.recheck()
            #expect(try await fixture.state("shop.example") == .failing)
            #expect(try await sending())
        }
        // Nothing is known: nothing changes, whatever the time.
        try await fixture.pass(hours: 24)
        try await fixture.with(nil) { verifier in
            _ = try await verifier.recheck()
            let seen = try await fixture.domains.get(fixture.account, domain.domain)
            #expect(seen.standing.state == .failing && seen.found("dkim")?.state == .unknown)
        }
        #expect(try await sending())
        try await fixture.pass(hours: 24)
        try await fixture.with("") { _ = try await $0.recheck() }
        #expect(try await fixture.state("shop.example") == .stopped)
        #expect(try await fixture.domains.owner(of: domain.domain) == nil)
        #expect(try await campaigns.pauseUnproven() == 2)
        for paused in [campaign, below] {
            let status = try await campaigns.get(fixture.account, paused)
            #expect(status.state == .paused)
            #expect(status.campaign.pauseReason?.contains("shop.example is yours") == true)
            #expect(await code { try await campaigns.resume(fixture.account, paused) } == "domain_not_proven")
        }
        #expect(try await campaigns.pauseUnproven() == 0)
        try await fixture.with(domain.zone) { _ = try await $0.verify(fixture.account, domain.domain) }
        for paused in [campaign, below] {
            #expect(try await campaigns.resume(fixture.account, paused).state == .sending)
        }
    }

    @Test func `operators see how domains stand, and whether anybody looks after them`() async throws {
        let fixture = try await DomainFixture.make()
        let pool = fixture.stores.records.pool
        // One of a test account, which nobody looks after, is none of them.
        _ = try await fixture.stores.testAccount(of: fixture.account, domain: "trial.example")
        let empty = try #require(try await fixture.domains.census(on: pool))
        #expect(empty == DomainCensus())
        let proven = try await fixture.add("shop.example")
        _ = try await fixture.add("club.example")
        try await fixture.with(proven.zone) { verifier in
            _ = try await verifier.verify(fixture.account, proven.domain)
            _ = try await verifier.recheck()
        }
        let soon = try #require(try await fixture.domains.census(on: pool))
        #expect((soon.pending, soon.verified, soon.failing, soon.stopped) == (1, 1, 0, 0))
        #expect(soon.lateSeconds == 0 && soon.lastLookSeconds.map { $0 < 60 } == true)
        try await fixture.pass(hours: 24)
        let late = try #require(try await fixture.domains.census(on: pool))
        #expect(late.lateSeconds > 12 * 3_600)
        try await fixture.with("") { _ = try await $0.recheck() }
        let failing = try #require(try await fixture.domains.census(on: pool))
        #expect((failing.pending, failing.verified, failing.failing) == (1, 0, 1))
        #expect(failing.lateSeconds == 0)
        #expect(
            try await SendingDomains(records: pool, vault: fixture.stores.vault, trusts: true).census(on: pool) == nil)
    }

    @Test func `a record that comes back in time mends it`() async throws {
        let fixture = try await DomainFixture.make()
        let domain = try await fixture.add("shop.example")
        try await fixture.with(domain.zone) { _ = try await $0.verify(fixture.account, domain.domain) }
        try await fixture.with("") { verifier in
            let seen = try await verifier.verify(fixture.account, domain.domain)
            #expect(seen.standing.state == .failing)
        }
        try await fixture.with(domain.zone) { verifier in
            let mended = try await verifier.verify(fixture.account, domain.domain)
            #expect(mended.standing == DomainStanding(.verified))
        }
    }

    @Test func `a domain that waits or has stopped does not send`() async throws {
        let fixture = try await DomainFixture.make()
        let campaigns = fixture.stores.campaigns
        let domain = try await fixture.add("shop.example")
        let draft = try await fixture.draft(from: "shop.example")
        #expect(draft.warnings?.map(\.code) == [.domainNotProven])
        #expect(try await campaigns.quote(fixture.account, draft.id).warnings.map(\.code) == [.domainNotProven])
        #expect(await code { try await campaigns.send(fixture.account, draft.id) } == "domain_not_proven")
        #expect(try await campaigns.get(fixture.account, draft.id).state == .draft)
        try await fixture.with(domain.zone) { _ = try await $0.verify(fixture.account, domain.domain) }
        #expect(try await campaigns.quote(fixture.account, draft.id).warnings.isEmpty)
        #expect(try await fixture.draft(from: "shop.example").warnings == nil)
        #expect(try await campaigns.send(fixture.account, draft.id).state == .queued)
    }

    @Test func `a round is bounded, and nodes share the domains`() async throws {
        let fixture = try await DomainFixture.make()
        for number in 0..<6 { _ = try await fixture.add("shop\(number).example") }
        try await fixture.with("") { verifier in
            async let one = verifier.recheck(limit: 2)
            async let two = verifier.recheck(limit: 2)
            let both = try await one + two
            #expect(both == 4)
            #expect(try await verifier.recheck(limit: 2) == 2)
            #expect(try await verifier.recheck(limit: 2) == 0)
        }
    }
}
