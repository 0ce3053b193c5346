import DNSResolution
import MailTypes
import Postgres
import SendingDomains
import TestDatabases
import TestStores
import TestSupport
import Testing

/// Proof by a real name server.
@Suite struct ProofTests {
    @Test func `key and return path prove a domain together, and neither does alone`() async throws {
        let fixture = try await DomainFixture.make()
        let domain = try await fixture.add("shop.example")
        #expect(domain.standing.state == .pending && !domain.sends)
        let lines = domain.zone.split(separator: "\n").map(String.init)
        for line in lines {
            try await fixture.with(line) { verifier in
                let seen = try await verifier.verify(fixture.account, domain.domain)
                #expect(seen.standing.state == .pending)
                #expect(seen.findings.filter { $0.state == .found }.count == 1)
            }
        }
        #expect(try await fixture.domains.owner(of: domain.domain) == nil)
        try await fixture.with(domain.zone) { verifier in
            let seen = try await verifier.verify(fixture.account, domain.domain)
            #expect(seen.standing.state == .verified && seen.sends)
            #expect(seen.found("dkim")?.state == .found && seen.found("return_path")?.state == .found)
            #expect(seen.found("challenge")?.state == .missing && seen.found("dmarc")?.state == .missing)
            #expect(seen.verifiedAt != nil && seen.checkedAt != nil)
        }
        #expect(try await fixture.domains.owner(of: domain.domain) == fixture.account)
    }

    @Test func `the challenge proves a domain alone`() async throws {
        let fixture = try await DomainFixture.make()
        let domain = try await fixture.add("shop.example")
        let other = try await fixture.add("shop.example", of: fixture.other)
        #expect(domain.challenge.name == "_sluice-challenge.shop.example" && domain.challenge.value.count == 64)
        #expect(domain.challenge.value != other.challenge.value)
        try await fixture.with(domain.challengeZone) { verifier in
            // The token of one account proves nothing for the other.
            let seen = try await verifier.verify(fixture.other, domain.domain)
            #expect(seen.standing.state == .pending)
            #expect(seen.found("challenge")?.state == .wrong && seen.found("challenge")?.seen == domain.challenge.value)
            #expect(try await verifier.verify(fixture.account, domain.domain).standing.state == .verified)
        }
    }

    @Test func `what is there instead is shown`() async throws {
        let fixture = try await DomainFixture.make()
        let domain = try await fixture.add("shop.example")
        let zone = """
            s1._domainkey.shop TXT "v=DKIM1; k=ed25519; p=AAAA"
            bounce.shop MX 10 elsewhere
            _sluice-challenge.shop TXT "guess"
            """
        try await fixture.with(zone) { verifier in
            let seen = try await verifier.verify(fixture.account, domain.domain)
            #expect(seen.standing.state == .pending)
            #expect(seen.found("dkim")?.state == .wrong && seen.found("dkim")?.seen == "v=DKIM1; k=ed25519; p=AAAA")
            #expect(seen.found("return_path")?.seen == "MX elsewhere.example")
            #expect(seen.found("challenge")?.seen == "guess")
        }
    }

    @Test func `records behind aliases and in pieces count`() async throws {
        let fixture = try await DomainFixture.make()
        let domain = try await fixture.add("shop.example")
        let key = try #require(domain.keys.first).record
        let zone = """
            s1._domainkey.shop CNAME key.hosted
            key.hosted TXT "\(key.prefix(20))" "\(key.dropFirst(20))"
            bounce.shop CNAME mail.hosted
            mail.hosted MX 10 Mail.Shop.Example.
            """
        try await fixture.with(zone) { verifier in
            let seen = try await verifier.verify(fixture.account, domain.domain)
            #expect(seen.standing.state == .verified)
        }
    }

    @Test func `a proven domain covers those below it of the same account`() async throws {
        let fixture = try await DomainFixture.make()
        let above = try await fixture.add("shop.example")
        let name = try DomainName("news.shop.example")
        _ = try await fixture.add("news.shop.example")
        _ = try await fixture.add("news.shop.example", of: fixture.other)
        try await fixture.with(above.challengeZone) { _ = try await $0.verify(fixture.account, above.domain) }
        let below = try await fixture.domains.get(fixture.account, name)
        #expect(below.standing.state == .pending && below.sends && below.coveredBy == above.domain)
        let others = try await fixture.domains.get(fixture.other, name)
        #expect(!others.sends && others.coveredBy == nil)
        // Who proves the name itself has it.
        try await fixture.with(others.challengeZone) { _ = try await $0.verify(fixture.other, name) }
        #expect(try await !fixture.domains.get(fixture.account, name).sends)
        #expect(try await fixture.domains.get(fixture.other, name).sends)
    }

    // MARK: Owners

    @Test func `who proves a domain first owns it`() async throws {
        let fixture = try await DomainFixture.make()
        let first = try await fixture.add("shop.example", selector: "a")
        let second = try await fixture.add("shop.example", of: fixture.other, selector: "b")
        try await fixture.with(first.challengeZone + second.challengeZone) { verifier in
            _ = try await verifier.verify(fixture.other, second.domain)
            #expect(await code { try await verifier.verify(fixture.account, first.domain) } == "domain_taken")
            #expect(try await fixture.state("shop.example") == .pending)
            #expect(try await fixture.domains.owner(of: first.domain) == fixture.other)
            // Who removes it gives it free.
            try await fixture.domains.remove(fixture.other, second.domain)
            #expect(try await verifier.verify(fixture.account, first.domain).sends)
        }
        #expect(try await fixture.domains.owner(of: first.domain) == fixture.account)
    }

    @Test func `of two that prove a domain at once one has it`() async throws {
        let fixture = try await DomainFixture.make()
        for round in 0..<8 {
            let name = "shop\(round).example"
            let first = try await fixture.add(name, selector: "a")
            let second = try await fixture.add(name, of: fixture.other, selector: "b")
            try await fixture.with(first.challengeZone + second.challengeZone) { verifier in
                async let one = code { try await verifier.verify(fixture.account, first.domain) }
                async let two = code { try await verifier.verify(fixture.other, second.domain) }
                #expect(Set([await one, await two]) == [nil, "domain_taken"])
            }
            let states = [try await fixture.state(name), try await fixture.state(name, of: fixture.other)]
            #expect(Set(states) == [.verified, .pending])
        }
    }
}
