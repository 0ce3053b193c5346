import Crypto
import Foundation
import JWTKit
import MailTypes
import Postgres
import TestDatabases
import Testing
import Vault

@testable import Identity

/// Tokens that somebody has made or changed (RFC 8725 §2).
@Suite struct SessionTokenTests {
    private struct Signed {
        let people: People
        let sessions: Sessions
        let user: AuthenticatedUser
        let token: String

        init() async throws {
            people = try await People()
            _ = try await people.user()
            sessions = people.sessions(cacheSeconds: 0)
            let begun = try await people.signIn(sessions).enter(
                address: "ada@example.org", password: People.password, network: People.home)
            (user, token) = (begun.user, begun.secrets.token.exposed)
        }

        func isGood(_ token: String) async throws -> Bool {
            try await sessions.authenticate(token: token, refresh: nil) != nil
        }

        /// The installation's own key, as somebody would have it who has the vault.
        func key() async throws -> (id: String, key: Curve25519.Signing.PrivateKey) {
            let row = try await people.directory.database.owner.query("SELECT key_id, sealed FROM session_keys").only
            let (id, sealed) = try row.decode(String.self, [UInt8].self)
            let octets = try people.vault.sessionKey.open(
                sealed, as: SealContext(account: Vault.installation, purpose: .sessionKey, label: id))
            return (id, try Curve25519.Signing.PrivateKey(rawRepresentation: octets))
        }

        var payload: [String: Any] {
            get throws {
                let part = token.split(separator: ".")[1]
                let object = try JSONSerialization.jsonObject(with: Data(Base64URL.decode(part)))
                return try #require(object as? [String: Any])
            }
        }
    }

    private enum Base64URL {
        static func encode(_ octets: some Sequence<UInt8>) -> String {
            Data(octets).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").filter { $0 != "=" }
        }

        static func decode(_ text: some StringProtocol) throws -> [UInt8] {
            var standard = String(text).replacing("-", with: "+").replacing("_", with: "/")
            while standard.count % 4 != 0 { standard += "=" }
            return Array(try #require(Data(base64Encoded: String(standard))))
        }

        static func encode(json: Any) throws -> String {
            encode(try JSONSerialization.data(withJSONObject: json, options: [.sortedKeys]))
        }
    }

    /// Signs as the server does, with what the test wants.
    private static func token(
        _ header: [String: Any], _ payload: [String: Any], _ key: Curve25519.Signing.PrivateKey
    ) throws -> String {
        let body = try Base64URL.encode(json: header) + "." + Base64URL.encode(json: payload)
        return body + "." + Base64URL.encode(try key.signature(for: Data(body.utf8)))
    }

    @Test func `the test signs as the server does`() async throws {
        let signed = try await Signed()
        let (id, key) = try await signed.key()
        #expect(try await signed.isGood(signed.token))
        let own = try Self.token(["alg": "EdDSA", "typ": "JWT", "kid": id], signed.payload, key)
        #expect(try await signed.isGood(own))
        #expect(signed.token.utf8.count < PeopleLimits.tokenOctets)
    }

    @Test func `tokens of another key, of no key and of another algorithm are refused`() async throws {
        let signed = try await Signed()
        let (id, key) = try await signed.key()
        let payload = try signed.payload
        let parts = signed.token.split(separator: ".").map(String.init)
        let other = Curve25519.Signing.PrivateKey()
        func expectRefused(_ token: String, _ what: Comment) async throws {
            #expect(try await !signed.isGood(token), what)
        }
        let header: [String: Any] = ["alg": "EdDSA", "typ": "JWT", "kid": id]
        try await expectRefused(try Self.token(header, payload, other), "another key under our name")
        try await expectRefused(
            try Self.token(["alg": "EdDSA", "typ": "JWT", "kid": "other"], payload, key), "a name that no key has")
        // A library that falls back on its only key would take this one.
        try await expectRefused(try Self.token(["alg": "EdDSA", "typ": "JWT"], payload, key), "no name")
        for name in ["none", "None", "HS256", "ES256", "RS256", "eddsa", ""] {
            try await expectRefused(
                try Self.token(["alg": name, "typ": "JWT", "kid": id], payload, key), "signed well, but as \(name)")
            let unsigned =
                try Base64URL.encode(json: ["alg": name, "typ": "JWT", "kid": id]) + "."
                + Base64URL.encode(json: payload) + "."
            try await expectRefused(unsigned, "\(name) without a signature")
        }
        // The public key as the secret of an HMAC.
        for secret in [key.publicKey.rawRepresentation, key.publicKey.rawRepresentation.base64EncodedData()] {
            let body =
                try Base64URL.encode(json: ["alg": "HS256", "typ": "JWT", "kid": id]) + "."
                + Base64URL.encode(json: payload)
            let code = HMAC<SHA256>.authenticationCode(for: Data(body.utf8), using: SymmetricKey(data: secret))
            try await expectRefused(body + "." + Base64URL.encode(code), "HMAC with the public key")
        }
        for injected in [
            "../../dev/null", "' OR 1=1 --", "\(id)' --", "\(id)\u{0}", String(repeating: id, count: 50), " \(id)",
        ] {
            try await expectRefused(
                try Self.token(["alg": "EdDSA", "typ": "JWT", "kid": injected], payload, key), "kid \(injected)")
        }
        // Fields by which a token brings its own key, or wants to be understood in a way of its own.
        for (field, value) in [
            ("jwk", ["kty": "OKP", "crv": "Ed25519", "x": Base64URL.encode(other.publicKey.rawRepresentation)] as Any),
            ("jku", "https://attacker.example/keys"), ("x5u", "https://attacker.example/x"), ("crit", ["exp"]),
            ("b64", false),
        ] {
            try await expectRefused(
                try Self.token(header.merging([field: value]) { $1 }, payload, key), "with \(field)")
        }
        for damaged in [
            "", ".", "..", parts[0], parts[0] + "." + parts[1], parts[0] + "." + parts[1] + ".", signed.token + ".",
            signed.token + "x", "x" + signed.token, parts[0] + "." + parts[1] + "." + String(parts[2].dropLast(4)),
            String(repeating: "x", count: 2_000), parts[2] + "." + parts[1] + "." + parts[0],
        ] { try await expectRefused(damaged, "damaged") }
    }

    @Test(arguments: [
        ("iss", "other" as any Sendable), ("iss", ""), ("aud", "sluice"), ("aud", ["sluice api"]), ("sub", "usr_99"),
        ("exp", 1), ("exp", 99_999_999_999), ("exp", "soon"), ("iat", 99_999_999_999), ("acc", 99), ("acc", 0),
        ("sid", 99),
        ("gen", ["user": 1, "account": 0]), ("gen", ["user": 0, "account": 1]),
    ]) func `each claim counts, however well it is signed`(_ claim: String, _ value: any Sendable) async throws {
        let signed = try await Signed()
        let (id, key) = try await signed.key()
        let header = ["alg": "EdDSA", "typ": "JWT", "kid": id]
        #expect(
            try await !signed.isGood(try Self.token(header, signed.payload.merging([claim: value]) { $1 }, key)))
        #expect(try await !signed.isGood(try Self.token(header, signed.payload.filter { $0.key != claim }, key)))
    }

    @Test func `a token is over after an hour`() async throws {
        let signed = try await Signed()
        for (later, isGood) in [(3_598, true), (3_602, false), (90_000, false)] {
            let elsewhere = signed.people.sessions(cacheSeconds: 0, later: Int64(later))
            #expect((try await elsewhere.authenticate(token: signed.token, refresh: nil) != nil) == isGood)
        }
    }

    /// Its end is further away on that node, but the row of the session decides.
    @Test func `on a node whose clock goes back an hour a token outlives no session`() async throws {
        let signed = try await Signed()
        let late = signed.people.sessions(cacheSeconds: 0, later: -3_600)
        #expect(try await late.authenticate(token: signed.token, refresh: nil)?.user == signed.user)
        #expect(try await signed.sessions.end(signed.user.session, of: signed.people.directory.account))
        #expect(try await late.authenticate(token: signed.token, refresh: nil) == nil)
        // What that node signs is over an hour earlier elsewhere, and good nowhere for longer than it says.
        let begun = try await signed.people.signIn(late).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        #expect(try await !signed.isGood(begun.secrets.token.exposed))
        try await signed.people.directory.database.owner.query("UPDATE sessions SET expires_at = now()")
        #expect(try await late.authenticate(token: begun.secrets.token.exposed, refresh: nil) == nil)
    }

    @Test func `a token of another installation is refused`() async throws {
        let signed = try await Signed(), other = try await Signed()
        #expect(try await other.isGood(other.token))
        #expect(try await !other.isGood(signed.token))
    }

    @Test func `keys rotate, and tokens of the last one stay good`() async throws {
        let signed = try await Signed()
        let (first, _) = try await signed.key()
        try await signed.people.directory.database.owner.query(
            "UPDATE session_keys SET created_at = now() - interval '24 hours 1 minute'")
        // Nodes that start now, at the same time.
        let nodes = (0..<4).map { _ in signed.people.sessions(cacheSeconds: 0) }
        try await withThrowingTaskGroup { group in
            for sessions in nodes {
                group.addTask {
                    let begun = try await signed.people.signIn(sessions).enter(
                        address: "ada@example.org", password: People.password, network: People.home)
                    for other in nodes + [signed.sessions] {
                        signed.people.directory.clock.advance(bySeconds: 1)
                        #expect(
                            try await other.authenticate(token: begun.secrets.token.exposed, refresh: nil)?.user
                                == begun.user)
                    }
                    #expect(try await sessions.authenticate(token: signed.token, refresh: nil)?.user == signed.user)
                }
            }
            try await group.waitForAll()
        }
        let keys = try await signed.people.directory.database.owner.query("SELECT key_id FROM session_keys").map {
            try $0.decode(String.self)
        }
        #expect(keys.count == 2 && keys.contains(first))
        try await signed.people.directory.database.owner.query(
            "UPDATE session_keys SET created_at = created_at - interval '27 hours'")
        let late = signed.people.sessions(cacheSeconds: 0)
        #expect(try await late.authenticate(token: signed.token, refresh: nil) == nil)
        _ = try await signed.people.signIn(late).enter(
            address: "ada@example.org", password: People.password, network: People.home)
        let left = try await signed.people.directory.database.owner.query("SELECT key_id FROM session_keys").map {
            try $0.decode(String.self)
        }
        #expect(left.count == 1 && !keys.contains(left[0]))
    }

    @Test func `unknown keys cost a question a second`() async throws {
        let signed = try await Signed()
        #expect(try await signed.isGood(signed.token))
        let other = Curve25519.Signing.PrivateKey()
        signed.people.directory.clock.advance(bySeconds: 1)
        let first = try Self.token(["alg": "EdDSA", "typ": "JWT", "kid": "a"], signed.payload, other)
        #expect(try await !signed.isGood(first))
        await signed.people.directory.database.pool.close()
        // Refused without the database, which is gone.
        for number in 0..<100 {
            let token = try Self.token(["alg": "EdDSA", "typ": "JWT", "kid": "x\(number)"], signed.payload, other)
            #expect(try await !signed.isGood(token))
        }
        signed.people.directory.clock.advance(bySeconds: 1)
        await #expect(throws: PostgresError.self) { _ = try await signed.isGood(first) }
    }
}
