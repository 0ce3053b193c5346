import MailSigning
import MailTypes
import Postgres
import SendingDomains
import TestDatabases
import TestStores
import TestSupport
import Testing

/// Keys that are replaced, and keys of one's own.
@Suite struct KeyTests {
    private static let header =
        "From: a@shop.example\r\nTo: b@example.org\r\nSubject: x\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n"

    /// Which selectors sign, as another node sees it.
    private func signing(_ fixture: DomainFixture, _ domain: SendingDomain) async throws -> [String] {
        let fresh = SendingDomains(records: fixture.stores.records.pool, vault: fixture.stores.vault)
        let message = Array((Self.header + "body\r\n").utf8)
        let signer = try await fresh.signer(fixture.account, domain.domain)
        let signature = try signer.sign(message, bodyOffset: Self.header.utf8.count, at: 1_767_225_600)
        let known = try await fixture.domains.get(fixture.account, domain.domain)
        let keys = known.keys.map { ("\($0.selector)._domainkey.\(domain.domain)", $0.record) }
        let verifier = try DKIMVerifier(keys: Dictionary(uniqueKeysWithValues: keys))
        return try verifier.verify(signature + message).signatures.map(\.selector)
    }

    @Test func `a new key signs once its record is published, and the old one stays for a time`() async throws {
        let fixture = try await DomainFixture.make()
        let domain = try await fixture.add("shop.example")
        let changed = try await fixture.domains.addKey(fixture.account, domain.domain, algorithm: .ed25519SHA256)
        #expect(changed.keys.map(\.selector) == ["s1", "s2"] && changed.keys.map(\.role) == [.signing, .next])
        #expect(changed.selector == "s1")
        #expect(changed.records.filter { $0.purpose == .dkim }.count == 2)
        #expect(
            await code {
                try await fixture.domains.addKey(fixture.account, domain.domain, algorithm: .ed25519SHA256)
            } == "invalid_setting")
        try await fixture.with(domain.zone) { verifier in
            let seen = try await verifier.verify(fixture.account, domain.domain)
            #expect(seen.standing.state == .verified)
            #expect(seen.finding("dkim", at: "s2._domainkey.shop.example")?.state == .missing)
        }
        #expect(try await signing(fixture, domain) == ["s1"])
        try await fixture.with(changed.zone) { verifier in
            let seen = try await verifier.verify(fixture.account, domain.domain)
            #expect(seen.keys.map(\.selector) == ["s2", "s1"] && seen.keys.map(\.role) == [.signing, .retired])
            #expect(seen.selector == "s2" && seen.keys[1].publishedUntil != nil)
            #expect(seen.records.filter { $0.purpose == .dkim }.map(\.name) == ["s2._domainkey.shop.example"])
        }
        #expect(try await signing(fixture, domain) == ["s2"])
        // The proof hangs on the key that signs now.
        try await fixture.with(changed.zone) { verifier in
            #expect(try await verifier.verify(fixture.account, domain.domain).standing.state == .verified)
            try await fixture.owner.query("UPDATE domain_keys SET retired_at = retired_at - interval '8 days'")
            #expect(try await verifier.verify(fixture.account, domain.domain).keys.map(\.selector) == ["s2"])
        }
        #expect(
            try await fixture.domains.addKey(fixture.account, domain.domain, algorithm: .ed25519SHA256).keys
                .map(\.selector) == ["s2", "s1"])
    }

    @Test func `a key that does not sign can be removed`() async throws {
        let fixture = try await DomainFixture.make()
        let domains = fixture.domains
        let domain = try await fixture.add("shop.example")
        _ = try await domains.addKey(
            fixture.account, domain.domain, selector: "Mine", algorithm: .ed25519SHA256)
        #expect(
            await code { try await domains.removeKey(fixture.account, domain.domain, selector: "s1") }
                == "invalid_setting")
        #expect(
            await code { try await domains.removeKey(fixture.account, domain.domain, selector: "s9") }
                == "key_not_found")
        #expect(
            await code { try await domains.removeKey(fixture.other, domain.domain, selector: "s1") }
                == "domain_not_found")
        try await domains.removeKey(fixture.account, domain.domain, selector: "mine")
        #expect(try await domains.get(fixture.account, domain.domain).keys.map(\.selector) == ["s1"])
    }

    @Test func `keys of one's own sign, and short ones are refused`() async throws {
        let fixture = try await DomainFixture.make()
        let key = try DKIMKey.generate(.rsaSHA256)
        let name = try DomainName("shop.example")
        let added = try await fixture.domains.add(fixture.account, name, selector: "own", imported: key)
        #expect(added.keys.map(\.record) == [key.dnsRecord])
        #expect(try await signing(fixture, added) == ["own"])
        let short = try DKIMKey.generate(.rsaSHA256, rsaBits: 1_024)
        #expect(
            await code {
                try await fixture.domains.add(fixture.account, DomainName("b.example"), imported: short)
            } == "invalid_key")
        #expect(
            await code { try await fixture.domains.addKey(fixture.account, name, imported: short) } == "invalid_key")
        let next = try DKIMKey.generate(.ed25519SHA256)
        let changed = try await fixture.domains.addKey(fixture.account, name, imported: next)
        #expect(changed.keys.last?.record == next.dnsRecord && changed.keys.last?.selector == "s1")
    }
}
