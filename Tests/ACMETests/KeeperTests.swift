import Foundation
import Logging
import MailTypes
import NIOHTTP1
import NIOSSL
import Postgres
import TestDatabases
import TestPeers
import TestStores
import TestSupport
import Testing
import Vault

@testable import ACME

/// What a node does where the authority does not play along, and how nodes share the work.
@Suite struct KeeperTests {
    private static let names = CertificateNames([try! DomainName("news.example.com")])!

    private struct Setting {
        let stores: Stores
        let store: ACMEStore
        let authority: Authority
        let server: PolicyServer?

        init(_ answer: PolicyServer.Answer?) async throws {
            stores = try await Stores.open()
            store = ACMEStore(pool: stores.records.pool, vault: stores.vault)
            let root = try TestAuthority()
            let identity = try root.identity(["localhost"]).serverContext()
            if let answer { server = try await PolicyServer(identity, answer) } else { server = nil }
            authority = Authority(
                directory: "https://localhost:\(server?.port ?? 1)/dir", trustRootsFile: root.rootsFile)
        }

        func keeper(hasListener: Bool = true) throws -> CertificateKeeper {
            CertificateKeeper(
                authority, names, store: store, served: try ServedCertificate(placeholderFor: "news.example.com"),
                hasPlainListener: hasListener, hasTLSListener: hasListener, logger: .silent)
        }

        /// The row, and the seconds until the next order.
        func status() async throws -> (status: ACMEStore.Status, wait: Int64) {
            let status = try #require(try await store.list().first)
            let now = try await stores.records.pool.query("SELECT extract(epoch FROM now())::bigint").only.decode(
                Int64.self)
            return (status, status.dueAt - now)
        }
    }

    private static func answer(_ status: HTTPResponseStatus, _ body: String, retryAfter: String? = nil)
        -> PolicyServer.Answer
    {
        PolicyServer.Answer(
            status: status,
            headers: [("Content-Type", "application/problem+json")] + (retryAfter.map { [("Retry-After", $0)] } ?? []),
            body: body)
    }

    @Test func `a limit of the authority is obeyed, and nobody asks again before`() async throws {
        let limited = #"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates"}"#
        let setting = try await Setting(Self.answer(.tooManyRequests, limited, retryAfter: "7200"))
        try await setting.keeper().look()
        let (status, wait) = try await setting.status()
        #expect(status.failures == 1 && (7_190...7_200).contains(wait))
        #expect(status.problem == "the authority refused (rateLimited): too many certificates")
        let asked = try #require(setting.server).requests.count
        #expect(asked == 1)
        for _ in 0..<3 { try await setting.keeper().look() }
        #expect(try #require(setting.server).requests.count == asked)
        // An operator who has put it right needs not wait.
        #expect(try await setting.store.renew(try DomainName("news.example.com")) == 1)
        try await setting.keeper().look()
        #expect(try #require(setting.server).requests.count == asked + 1)
        #expect(try await setting.status().status.failures == 2)
    }

    @Test(arguments: [
        ("<html>", "not the JSON of ACME"), ("{}", "not the JSON of ACME"),
        (#"{"newNonce": "http://a/", "newAccount": "https://a/", "newOrder": "https://a/"}"#, "not https"),
        (String(repeating: "a", count: 300_000), "longer than"),
    ])
    func `an answer that is none is a failure with its reason`(_ body: String, _ words: String) async throws {
        let setting = try await Setting(Self.answer(.ok, body))
        try await setting.keeper().look()
        let (status, wait) = try await setting.status()
        #expect(status.failures == 1 && (200...400).contains(wait))
        #expect(status.problem?.contains(words) == true, "\(status.problem ?? "none")")
        #expect(status.notAfter == nil)
    }

    @Test func `an authority that is not there, or that nobody certifies, is unreachable`() async throws {
        let away = try await Setting(nil)
        try await away.keeper().look()
        #expect(try await away.status().status.problem?.hasPrefix("the authority cannot be reached") == true)
        let stranger = try await Setting(Self.answer(.ok, "{}"))
        let other = CertificateKeeper(
            Authority(directory: stranger.authority.directory), Self.names, store: stranger.store,
            served: try ServedCertificate(placeholderFor: "news.example.com"), hasPlainListener: true,
            hasTLSListener: true, logger: .silent)
        await other.look()
        #expect(try await stranger.status().status.problem?.hasPrefix("the authority cannot be reached") == true)
        #expect(try #require(stranger.server).requests.isEmpty)
    }

    @Test func `a node that nobody can reach orders nothing`() async throws {
        let setting = try await Setting(Self.answer(.ok, "{}"))
        try await setting.keeper(hasListener: false).look()
        #expect(try #require(setting.server).requests.isEmpty)
        #expect(try await setting.status().status.failures == 0)
    }

    @Test func `one node of many has the order, and what it brings too late changes nothing`() async throws {
        let setting = try await Setting(nil)
        let (store, directory) = (setting.store, setting.authority.directory)
        _ = try await store.glance(directory, Self.names)
        let claims = try await withThrowingTaskGroup(of: ACMEStore.Claim?.self, returning: [ACMEStore.Claim].self) {
            tasks in
            for _ in 0..<20 { tasks.addTask { try await store.claim(directory, Self.names) } }
            var claims: [ACMEStore.Claim] = []
            for try await case let claim? in tasks { claims.append(claim) }
            return claims
        }
        #expect(claims.count == 1)
        let first = try #require(claims.first)
        // It stands still for longer than the lease.
        try await setting.stores.records.owner.query(
            "UPDATE acme_certificates SET leased_until = now() - interval '1 second'")
        let second = try #require(try await store.claim(directory, Self.names))
        try await store.fail(first, directory, Self.names, problem: "late", seconds: 86_400)
        #expect(try await setting.status().status.problem == nil)
        try await store.fail(second, directory, Self.names, problem: "in time", seconds: 60)
        #expect(try await setting.status().status.problem == "in time")
    }

    @Test func `keys lie sealed in the records, and each opens in its own row alone`() async throws {
        let setting = try await Setting(nil)
        let (key, url) = try await setting.store.account("https://a.example/")
        #expect(url == nil)
        #expect(try await setting.store.account("https://a.example/").key.bytes == key.bytes)
        let stored = try await setting.stores.records.owner.query("SELECT sealed_key FROM acme_accounts").only
            .decode([UInt8].self)
        #expect(stored.count == 12 + 32 + 16 && !stored.contains(key.bytes))
        try await setting.stores.records.owner.query("UPDATE acme_accounts SET directory = 'https://b.example/'")
        await #expect(throws: VaultError.self) { try await setting.store.account("https://b.example/") }
    }

    @Test func `challenges are read once a second, and nonsense costs no question`() async throws {
        let setting = try await Setting(nil)
        try await setting.store.publish(
            .init(token: "abc", name: "news.example.com", keyAuthorization: "abc.thumb"))
        let book = ChallengeBook(store: setting.store)
        #expect(await book.keyAuthorization(token: "abc") == "abc.thumb")
        #expect(await book.keyAuthorization(token: "../abc") == nil)
        #expect(await book.keyAuthorization(token: String(repeating: "a", count: 129)) == nil)
        #expect(await book.context(name: "NEWS.example.com") != nil)
        #expect(await book.context(name: "other.example.com") == nil)
        try await setting.store.withdraw(["abc"])
        #expect(await book.keyAuthorization(token: "abc") == "abc.thumb")
        try await Task.sleep(for: .milliseconds(1_100))
        #expect(await book.keyAuthorization(token: "abc") == nil)
    }

    @Test func `what an authority says is cut, cleaned, and tells no contact`() throws {
        let long = ACMEError(.unproven, "a\u{0}b\n" + String(repeating: "é", count: 1_000))
        #expect(long.detail.count == 400 && long.detail.hasPrefix("a b "))
        let contact = ACMEProblem(
            type: "urn:ietf:params:acme:error:invalidContact", detail: "canary@example.org is bad", subproblems: nil)
        #expect(contact.shortType == "invalidContact" && !contact.summary.contains("canary"))
    }
}
