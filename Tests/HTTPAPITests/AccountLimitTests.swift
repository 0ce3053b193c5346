import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Identity
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing

@testable import HTTPAPI

/// What an operator has set for one account, at the places that it bounds. Each refusal changes nothing, and another
/// account is bounded as before.
@Suite struct AccountLimitTests {
    /// Lets the customer have so much of one thing.
    private static func with(
        _ limit: AccountLimit, _ value: Int, _ body: @Sendable (APIFixture, API, API) async throws -> Void
    ) async throws {
        let fixture = try await APIFixture.make()
        let (customer, other) = (try await fixture.customer(), try await fixture.customer())
        fixture.stores.limits.replace(by: [customer.account: [limit: value]])
        try await fixture.withAPI(customer.key) { try await body(fixture, $0, API(client: $0.client, key: other.key)) }
        await fixture.records.close()
        await fixture.vaultDatabase.close()
    }

    @Test func `drafts`() async throws {
        try await Self.with(.drafts, 1) { _, api, other in
            _ = try await api.draft()
            try await api.post("/v1/campaigns", API.draft).expectProblem(409, "too_many_drafts")
            #expect(try await api.get("/v1/campaigns").json["data"].elements.count == 1)
            for _ in 0..<2 { _ = try await other.draft() }
        }
    }

    @Test func `campaigns under way`() async throws {
        try await Self.with(.campaigns, 1) { _, api, other in
            _ = try await api.sent(1)
            let next = try await api.draft(1)
            try await api.post("/v1/campaigns/\(next)/send").expectProblem(409, "too_many_campaigns")
            #expect(try await api.get("/v1/campaigns/\(next)").json["state"] == "draft")
            for _ in 0..<2 { _ = try await other.sent(1) }
        }
    }

    @Test func `suppressions`() async throws {
        try await Self.with(.suppressions, 2) { fixture, api, other in
            let two = #"{"addresses": ["a@example.org", "b@example.org"]}"#
            #expect(try await api.post("/v1/suppressions", two).status == 200)
            // Counted before once a minute; a number that was set a moment ago is another number.
            let account = try #require(try await fixture.services.keys.authenticate(api.key ?? "")).account
            fixture.stores.limits.replace(by: [account: [.suppressions: 1]])
            let more = #"{"addresses": ["c@example.org"]}"#
            try await api.post("/v1/suppressions", more).expectProblem(409, "too_many_suppressions")
            #expect(try await api.get("/v1/suppressions").json["data"].elements.count == 2)
            fixture.stores.limits.replace(by: [account: [.suppressions: 3]])
            #expect(try await api.post("/v1/suppressions", more).status == 200)
            #expect(try await other.post("/v1/suppressions", two).status == 200)
        }
    }

    @Test func `domains, keys, webhooks`() async throws {
        // Each has one domain and one key already.
        for (limit, value, path, body, code) in [
            (AccountLimit.domains, 1, "/v1/domains", #"{"domain": "two.example.com"}"#, "too_many_domains"),
            (.keys, 1, "/v1/keys", #"{"name": "two", "scopes": ["credits:read"]}"#, "too_many_api_keys"),
            (.webhooks, 0, "/v1/webhooks", #"{"url": "https://hooks.example.com/x"}"#, "too_many_webhooks"),
        ] {
            try await Self.with(limit, value) { _, api, other in
                let before = try await api.get(path).json["data"].elements.count
                try await api.post(path, body).expectProblem(409, code)
                #expect(try await api.get(path).json["data"].elements.count == before)
                #expect(try await other.post(path, body).status == 201)
            }
        }
    }

    @Test func `stored answers`() async throws {
        try await Self.with(.storedAnswers, 0) { _, api, other in
            let answer = try await api.post("/v1/campaigns", API.draft, idempotencyKey: "one")
            answer.expectProblem(429, "too_many_idempotency_keys")
            #expect(try await api.get("/v1/campaigns").json["data"].elements.isEmpty)
            #expect(try await api.post("/v1/campaigns", API.draft).status == 201)
            #expect(try await other.post("/v1/campaigns", API.draft, idempotencyKey: "one").status == 201)
        }
    }

    @Test func `uploads and bodies`() async throws {
        try await Self.with(.uploads, 0) { _, api, other in
            let draft = try await api.draft()
            try await api.upload(draft, API.lines(1)).expectProblem(429, "too_many_uploads")
            #expect(try await other.upload(try await other.draft(), API.lines(1)).status == 200)
        }
        try await Self.with(.bodyBytes, 1_000) { _, api, other in
            func draft(_ octets: Int) -> String {
                #"{"from": "news@shop.example", "subject": "s", "text": "\#(String(repeating: "a", count: octets))"}"#
            }
            // The first 64 KiB are free for everybody.
            #expect(try await api.post("/v1/campaigns", draft(60_000)).status == 201)
            try await api.post("/v1/campaigns", draft(70_000)).expectProblem(429, "too_many_body_bytes")
            #expect(try await other.post("/v1/campaigns", draft(70_000)).status == 201)
        }
    }

    @Test func `requests at a time are the account's connections`() async throws {
        try await Self.with(.requests, 2) { fixture, api, other in
            let router = Router(context: APIContext.self)
            let authentication = fixture.services.authentication(APIExposure())
            router.group().add(middleware: authentication).get("/probe") { _, _ in
                "\(ConnectionOwner.current?.connections ?? 0)"
            }
            let keys = [api.key, other.key]
            try await Application(router: router, logger: .silent).test(.router) { client in
                let own = try await API(client: client, key: keys[0]).get("/probe").text
                let others = try await API(client: client, key: keys[1]).get("/probe").text
                #expect(own == "2" && others == "0")
            }
        }
    }
}
