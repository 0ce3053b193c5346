import DNSResolution
import HTTPAPI
import MailSigning
import MailTypes
import Postgres
import SendingDomains
import TestDatabases
import TestPeers
import TestStores
import Testing

/// Sending domains over HTTP, proven by a real name server.
@Suite(.serialized) struct DomainRouteTests {
    /// Two customers, `news.example` of the first with its records published.
    private func withPublished(
        _ body: @Sendable (_ first: API, _ second: API, _ fixture: APIFixture) async throws -> Void
    ) async throws {
        guard let program = NameServer.program else { return print("skipped: nsd is not installed") }
        // The token stands in the zone before the server starts.
        let token = String(repeating: "ab", count: 32)
        let server = try NameServer(program, zone: "_sluice-challenge.news TXT \"\(token)\"\n")
        defer { server.stop() }
        let fixture = try await APIFixture.make(nameServer: server.server)
        let first = try await fixture.customer()
        let second = try await fixture.customer()
        for customer in [first, second] {
            _ = try await fixture.stores.domains.add(
                customer.account, DomainName("news.example"), algorithms: [.ed25519SHA256])
        }
        try await fixture.records.owner.query("UPDATE domains SET challenge = \(token)")
        try await fixture.withAPI(first.key) { one in
            try await body(one, API(client: one.client, key: second.key), fixture)
        }
        await fixture.records.close()
        await fixture.vaultDatabase.close()
    }

    private static let draft = #"{"from": "News <a@news.example>", "subject": "Hello", "text": "Hello."}"#

    @Test func `a domain is registered, verified and sends`() async throws {
        try await withPublished { api, _, _ in
            let draft = try await api.post("/v1/campaigns", Self.draft)
            #expect(draft.status == 201)
            #expect(draft.json["warnings"][0]["code"] == "domain_not_proven")
            let id = try #require(draft.json["id"].string)
            #expect(try await api.upload(id, API.lines(2)).status == 200)
            let refused = try await api.post("/v1/campaigns/\(id)/send")
            refused.expectProblem(409, "domain_not_proven")
            #expect(refused.json["fields"][0] == "from")
            let pending = try await api.get("/v1/domains/news.example").json
            #expect(pending["state"] == "pending" && pending["sends"] == false)
            #expect(pending["records"][0]["state"] == "unchecked" && pending["records"][0]["purpose"] == "dkim")
            #expect(pending["challenge"]["name"] == "_sluice-challenge.news.example")

            let verified = try await api.post("/v1/domains/news.example/verify")
            #expect(verified.status == 200)
            #expect(verified.json["state"] == "verified" && verified.json["sends"] == true)
            #expect(verified.json["challenge"]["state"] == "found")
            #expect(verified.json["records"][0]["state"] == "missing")
            #expect(try await api.get("/v1/domains/NEWS.example").text == verified.text)
            #expect(try await api.post("/v1/campaigns/\(id)/send").status == 202)
        }
    }

    @Test func `a domain of another account is not verified`() async throws {
        try await withPublished { first, second, fixture in
            #expect(try await first.post("/v1/domains/news.example/verify").status == 200)
            try await second.post("/v1/domains/news.example/verify").expectProblem(409, "domain_taken")
            let draft = try await second.post("/v1/campaigns", Self.draft)
            let id = try #require(draft.json["id"].string)
            #expect(try await second.upload(id, API.lines(2)).status == 200)
            try await second.post("/v1/campaigns/\(id)/send").expectProblem(409, "domain_not_proven")
            try await second.post("/v1/domains/none.example/verify").expectProblem(404, "domain_not_found")
            // It has not moved a credit.
            #expect(try await second.get("/v1/credits").json["held"] == 0)
        }
    }

    @Test func `keys are added and removed`() async throws {
        try await withPublished { api, _, _ in
            let added = try await api.post(
                "/v1/domains/news.example/keys", #"{"algorithm": "ed25519-sha256"}"#, idempotencyKey: "k")
            #expect(added.status == 201)
            #expect(added.json["keys"][1]["selector"] == "s2" && added.json["keys"][1]["role"] == "next")
            let again = try await api.post(
                "/v1/domains/news.example/keys", #"{"algorithm": "ed25519-sha256"}"#, idempotencyKey: "k")
            #expect(again.isReplayed && again.text == added.text)
            try await api.delete("/v1/domains/news.example/keys/s1").expectProblem(422, "invalid_setting")
            #expect(try await api.delete("/v1/domains/news.example/keys/s2").status == 204)
            try await api.delete("/v1/domains/news.example/keys/s2").expectProblem(404, "key_not_found")
            try await api.post("/v1/domains/news.example/keys", #"{"private_key": "secret"}"#)
                .expectProblem(422, "invalid_key")
            try await api.post("/v1/domains/news.example/keys", #"{"algorithm": "dsa"}"#)
                .expectProblem(422, "invalid_field")
            try await api.post("/v1/domains", #"{"domain": "co.uk"}"#).expectProblem(422, "public_suffix")
        }
    }
}
