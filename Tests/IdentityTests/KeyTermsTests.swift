import MailTypes
import Postgres
import Testing

@testable import Identity

@Suite struct KeyTermsTests {
    @Test(arguments: [
        (["credits:read"], [Scope.creditsRead]),
        (["campaigns:*"], [.campaignsRead, .campaignsWrite, .campaignsSend]),
        (["keys:write", "keys:read"], [.keysRead, .keysWrite]),
        (["*"], Scope.allCases),
    ]) func `a key may do what its scopes say and nothing else`(_ names: [String], _ allowed: [Scope]) throws {
        let scopes = try KeyScopes(names)
        #expect(Scope.allCases.filter(scopes.allows) == allowed)
    }

    @Test func `names are kept once and in order`() throws {
        #expect(try KeyScopes(["keys:*", "credits:read", "keys:*"]).names == ["credits:read", "keys:*"])
    }

    @Test(arguments: [
        [], [""], ["campaigns"], ["campaigns:"], ["campaigns:delete"], ["CREDITS:READ"], ["credits:read", "none"],
        [":*"], ["**"], [" credits:read"],
    ]) func `unknown scopes are refused`(_ names: [String]) {
        #expect(throws: IdentityError.invalidScopes) { _ = try KeyScopes(names) }
    }

    @Test func `a scope of a later version allows nothing here`() {
        let scopes = KeyScopes(stored: ["credits:write", "payments:*"])
        #expect(Scope.allCases.filter(scopes.allows).isEmpty)
    }

    @Test(arguments: [
        (["*"], ["*"], true), (["*"], ["campaigns:*", "keys:read"], true), (["campaigns:*"], ["campaigns:send"], true),
        (["campaigns:*"], ["campaigns:*"], true), (["campaigns:*"], ["*"], false),
        (["campaigns:*"], ["keys:read"], false),
        (["campaigns:read", "campaigns:write", "campaigns:send"], ["campaigns:*"], false),
        (["campaigns:read"], ["campaigns:read", "credits:read"], false),
    ]) func `who may hand on which scopes`(_ own: [String], _ others: [String], _ allowed: Bool) throws {
        #expect(try KeyScopes(own).allow(try KeyScopes(others)) == allowed)
    }

    @Test(arguments: [
        ([], ["192.0.2.1"], true), (["192.0.2.0/24"], [], false), (["192.0.2.0/24"], ["192.0.2.0/25"], true),
        (["192.0.2.0/24"], ["192.0.2.7"], true), (["192.0.2.0/25"], ["192.0.2.0/24"], false),
        (["192.0.2.1", "2001:db8::/32"], ["2001:db8:1::/48", "192.0.2.1"], true),
        (["192.0.2.1"], ["192.0.2.1", "198.51.100.1"], false),
    ]) func `who may hand on which networks`(_ own: [String], _ others: [String], _ allowed: Bool) throws {
        let terms = KeyTerms(networks: try KeyTerms.networks(own))
        #expect(terms.allow(KeyTerms(networks: try KeyTerms.networks(others))) == allowed)
    }

    @Test func `a key hands on no longer life than its own`() {
        func terms(_ seconds: Int64?) -> KeyTerms {
            KeyTerms(expiresAt: seconds.map { PostgresTimestamp(seconds: $0) })
        }
        #expect(terms(nil).allow(terms(nil)) && terms(nil).allow(terms(5)))
        #expect(terms(5).allow(terms(5)) && terms(5).allow(terms(4)))
        #expect(!terms(5).allow(terms(6)) && !terms(5).allow(terms(nil)))
    }

    @Test func `a limited key is good from its networks alone`() throws {
        let terms = KeyTerms(networks: try KeyTerms.networks(["192.0.2.0/24", "2001:db8::1"]))
        for (text, allowed) in [
            ("192.0.2.9", true), ("::ffff:192.0.2.9", true), ("192.0.3.9", false), ("2001:db8::1", true),
            ("2001:db8::2", false),
        ] { #expect(terms.allow(from: IPAddress(text)) == allowed, "\(text)") }
        #expect(!terms.allow(from: nil))
        #expect(KeyTerms().allow(from: nil))
    }

    @Test func `what is no network, and too many, are refused`() throws {
        for text in ["", "192.0.2.1/24", "192.0.2.0/33", "host.example"] {
            #expect(throws: IdentityError.invalidNetworks) { _ = try KeyTerms.networks([text]) }
        }
        let many = (0...IdentityLimits.networks).map { "10.0.0.\($0)" }
        #expect(throws: IdentityError.invalidNetworks) { _ = try KeyTerms.networks(many) }
        #expect(try KeyTerms.networks(["10.0.0.1", "10.0.0.1/32"]).count == 1)
    }

    @Test func `an identifier of a key has one text`() {
        #expect(APIKeyID("key_17")?.rawValue == 17)
        #expect("\(APIKeyID(rawValue: 17))" == "key_17")
        for text in [
            "", "17", "key_", "key_0", "key_-1", "key_+1", "key_01", "key_1 ", "KEY_1", "key_9223372036854775808",
        ] {
            #expect(APIKeyID(text) == nil, "\(text)")
        }
    }
}
