import Campaigns
import Fleet
import MailMessage
import MailSigning
import MailTypes
import Postgres
import SendingDomains
import TestDatabases
import TestStores
import Testing
import Vault

@Suite struct RegistrationTests {
    @Test func `a domain comes with its keys and DNS records`() async throws {
        let fixture = try await DomainFixture.make()
        let name = try DomainName("mail.example")
        let domain = try await fixture.domains.add(
            fixture.account, name, algorithms: [.rsaSHA256, .ed25519SHA256])
        #expect(domain.selector == "s1")
        #expect(domain.keys.map(\.selector) == ["s1", "s1e"])
        #expect(domain.keys.map(\.algorithm) == [.rsaSHA256, .ed25519SHA256])
        #expect(
            domain.records.filter { $0.purpose == .dkim }.map(\.name)
                == ["s1._domainkey.mail.example", "s1e._domainkey.mail.example"])
        #expect(Set(domain.records.map(\.purpose)) == [.dkim, .spf, .returnPath, .dmarc])
        #expect(try await fixture.domains.get(fixture.account, name) == domain)
        #expect(try await fixture.domains.list(fixture.account) == [domain])
    }

    @Test func `the signer signs for the domain, also from the sealed keys alone`() async throws {
        let fixture = try await DomainFixture.make()
        let name = try DomainName("mail.example")
        let domain = try await fixture.domains.add(
            fixture.account, name, selector: "k7", algorithms: [.ed25519SHA256])
        let header =
            "From: a@mail.example\r\nTo: b@example.org\r\nSubject: x\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n"
        let message = Array((header + "body\r\n").utf8)
        let fresh = SendingDomains(records: fixture.stores.records.pool, vault: fixture.stores.vault)
        let record = try #require(domain.keys.first?.record)
        let verifier = try DKIMVerifier(keys: ["k7._domainkey.mail.example": record])
        for domains in [fixture.domains, fresh] {
            let signer = try await domains.signer(fixture.account, name)
            let signature = try signer.sign(message, bodyOffset: header.utf8.count, at: 1_767_225_600)
            #expect(try verifier.verify(signature + message).signatures.map(\.selector) == ["k7"])
        }
    }

    @Test func `private keys are stored sealed`() async throws {
        let fixture = try await DomainFixture.make()
        let name = try DomainName("mail.example")
        _ = try await fixture.domains.add(fixture.account, name, algorithms: [.ed25519SHA256])
        let sealed = try await fixture.owner.query("SELECT sealed FROM domain_keys").only
            .decode(column: 0, as: [UInt8].self)
        #expect(throws: (any Error).self) { try DKIMKey(privateKeyDER: sealed) }
        // Moved to another domain's row it does not open.
        try await fixture.owner.query("UPDATE domain_keys SET selector = 's2'")
        let fresh = SendingDomains(records: fixture.stores.records.pool, vault: fixture.stores.vault)
        await #expect(throws: VaultError.self) { try await fresh.signer(fixture.account, name) }
    }

    @Test func `an account has so many domains and no more`() async throws {
        let fixture = try await DomainFixture.make()
        let most = SendingDomains.mostDomains
        try await fixture.owner.query(
            """
            INSERT INTO domains (account_id, domain)
            SELECT \(fixture.account.rawValue), 'd' || n || '.example' FROM generate_series(1, \(Int32(most - 1))) n
            """)
        _ = try await fixture.domains.add(
            fixture.account, DomainName("last.example"), algorithms: [.ed25519SHA256])
        await #expect {
            try await fixture.domains.add(
                fixture.account, DomainName("more.example"), algorithms: [.ed25519SHA256])
        } throws: {
            ($0 as? SendingDomainError)?.code == .tooManyDomains
        }
        let count = try await fixture.owner.query(
            "SELECT count(*) FROM domains WHERE account_id = \(fixture.account.rawValue)"
        ).only.decode(Int64.self)
        #expect(count == Int64(most))
    }

    @Test func `wrong requests are refused`() async throws {
        let fixture = try await DomainFixture.make()
        let name = try DomainName("mail.example")
        let domains = fixture.domains
        let other = fixture.other
        _ = try await domains.add(fixture.account, name, algorithms: [.ed25519SHA256])
        #expect(
            await code { try await domains.add(fixture.account, name, algorithms: [.ed25519SHA256]) }
                == "domain_exists")
        #expect(
            await code {
                try await domains.add(
                    fixture.account, DomainName("x.example"), selector: "a b", algorithms: [.ed25519SHA256])
            } == "invalid_setting")
        #expect(
            await code { try await domains.add(fixture.account, DomainName("x.example"), algorithms: []) }
                == "invalid_setting")
        #expect(
            await code {
                try await domains.add(AccountID(rawValue: 99), name, algorithms: [.ed25519SHA256])
            } == "not_found")
        #expect(await code { try await domains.get(other, name) } == "domain_not_found")
        #expect(await code { try await domains.signer(other, name) } == "domain_not_found")
        #expect(await code { try await domains.remove(other, name) } == "domain_not_found")
        #expect(try await domains.list(other).map(\.domain.text) == [])
    }

    @Test func `the records name the addresses of all nodes that were there of late`() async throws {
        let fixture = try await DomainFixture.make()
        let name = try DomainName("mail.example")
        func policy() async throws -> String? {
            try await fixture.domains.get(fixture.account, name).records.first { $0.value.hasPrefix("v=spf1") }?.value
        }
        let added = try await fixture.domains.add(fixture.account, name, algorithms: [.ed25519SHA256])
        #expect(added.records.contains { $0.value == "v=spf1 mx -all" })
        func register(_ node: String, _ addresses: [String]) async throws {
            let addresses = addresses.compactMap { IPAddress($0) }
            try await fixture.stores.delivery.beginIncarnation(of: node, addresses: addresses)
        }
        try await register("a", ["192.0.2.20", "2001:db8::2", "192.0.2.3"])
        try await register("b", ["192.0.2.20", "198.51.100.1"])
        try await register("behind a smarthost", [])
        #expect(
            try await policy()
                == "v=spf1 ip4:192.0.2.3 ip4:192.0.2.20 ip4:198.51.100.1 ip6:2001:db8::2 -all")
        let other = try DomainName("other.example")
        let later = try await fixture.domains.add(fixture.account, other, algorithms: [.ed25519SHA256])
        #expect(later.records.contains { $0.value.contains("ip4:192.0.2.3 ip4:192.0.2.20") })
        // A node that starts with others forgets those it had; one that has gone for good is forgotten.
        await fixture.stores.fleet.unregister(node: "a")
        try await register("a", ["192.0.2.9"])
        try await fixture.owner.query(
            "UPDATE nodes SET seen_at = clock_timestamp() - interval '31 days' WHERE node = 'b'")
        #expect(try await policy() == "v=spf1 ip4:192.0.2.9 -all")
        for node in ["a", "b", "behind a smarthost"] { await fixture.stores.fleet.unregister(node: node) }
    }

    @Test func `a domain in use stays until its campaigns are finished`() async throws {
        let fixture = try await DomainFixture.make()
        let (account, campaigns) = (fixture.account, fixture.stores.campaigns)
        let name = try DomainName("shop.example")
        let domain = try await fixture.add("shop.example")
        let below = try await fixture.add("news.shop.example")
        try await fixture.with(domain.challengeZone) { _ = try await $0.verify(account, name) }
        let campaign = try await fixture.send(from: below.domain.text)
        for used in [domain, below] {
            #expect(await code { try await campaigns.removeDomain(account, used.domain) } == "domain_in_use")
        }
        _ = try await campaigns.cancel(account, campaign)
        for used in [domain, below] { try await campaigns.removeDomain(account, used.domain) }
        #expect(await code { try await fixture.draft(from: "shop.example") } == "domain_not_registered")
        #expect(await code { try await campaigns.removeDomain(account, name) } == "domain_not_found")
        #expect(try await fixture.domains.owner(of: name) == nil)
    }

    @Test(arguments: ["co.uk", "github.io", "foo.ck", "xn--55qx5d.cn"])
    func `public suffixes are refused`(_ name: String) async throws {
        let fixture = try await DomainFixture.make()
        #expect(await code { try await fixture.add(name) } == "public_suffix")
        _ = try await fixture.add("shop." + name)
    }

    @Test func `without the list of public suffixes nothing is added`() async throws {
        let fixture = try await DomainFixture.make()
        let domains = SendingDomains(records: fixture.stores.records.pool, vault: fixture.stores.vault, suffixes: nil)
        #expect(
            await code { try await domains.add(fixture.account, DomainName("shop.example")) }
                == "public_suffixes_unknown")
    }
}
