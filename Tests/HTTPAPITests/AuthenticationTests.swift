import HTTPAPI
import HTTPTypes
import Identity
import MailTypes
import Postgres
import Testing

@Suite struct AuthenticationTests {
    static let protected: [(HTTPRequest.Method, String)] = keyed + unrouted

    private static let keyed: [(HTTPRequest.Method, String)] = APIOperation.allCases.filter { $0.access != .open }.map {
        ($0.method, $0.samplePath)
    }

    private static let unrouted: [(HTTPRequest.Method, String)] = [
        // What is not there, or not so, is told only to those with a key.
        (.get, "/v1"), (.get, "/v1/"), (.get, "/v1/nothing"), (.get, "/v1/campaigns/x/nothing"),
        (.put, "/v1/campaigns"),
        (.delete, "/v1/credits"), (.patch, "/v1/nothing/at/all"), (.options, "/v1/campaigns"),
        (.get, "//v1/campaigns"),
    ]

    @Test(arguments: protected) func `without a key nothing is told`(_ method: HTTPRequest.Method, _ path: String)
        async throws
    {
        try await APIFixture.shared().withAPI { api in
            let answer = try await api.call(method, path)
            answer.expectProblem(401, "unauthorized")
            #expect(answer.headers[.wwwAuthenticate] == "Bearer")
        }
    }

    @Test(arguments: [
        "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer sl_live_short", "bearer sl_test_",
        "Bearer sl_live_00000000000000000000000000000000000000",
    ])
    func `a wrong key is refused`(_ header: String) async throws {
        try await APIFixture.shared().withAPI { api in
            let answer = try await api.call(.get, "/v1/credits", headers: ["Authorization": header])
            answer.expectProblem(401, "unauthorized")
        }
    }

    @Test func `a key that was never given out is refused`() async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        // Right in form, with its checksum, but of another installation.
        let other = try await APIFixture.make().customer().key
        try await fixture.withAPI(other) { try await $0.get("/v1/credits").expectProblem(401, "unauthorized") }
        let answer = try await fixture.withAPI(customer.key) { try await $0.get("/v1/credits") }
        #expect(answer.status == 200)
    }

    @Test func `a revoked key is refused`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            #expect(try await api.get("/v1/credits").status == 200)
            let isRevoked = try await fixture.acting(for: customer.account) {
                try await fixture.services.keys.revoke(customer.keyID, account: customer.account)
            }
            #expect(isRevoked)
            try await api.get("/v1/credits").expectProblem(401, "unauthorized")
        }
    }

    @Test func `the scheme is read without regard to case`() async throws {
        try await APIFixture.withCustomer { fixture, customer, _ in
            try await fixture.withAPI { api in
                for scheme in ["bearer", "BEARER", "Bearer "] {
                    let answer = try await api.call(
                        .get, "/v1/credits", headers: ["Authorization": "\(scheme) \(customer.key)"])
                    #expect(answer.status == 200)
                }
            }
        }
    }

    static let campaignCalls: [(HTTPRequest.Method, String, String?)] = [
        (.get, "", nil), (.post, "/recipients", API.lines(1)), (.get, "/recipients", nil), (.get, "/quote", nil),
        (.post, "/send", nil), (.post, "/pause", nil), (.post, "/resume", nil), (.post, "/cancel", nil),
        (.get, "/events", nil), (.get, "/certificate", nil),
    ]

    @Test(arguments: campaignCalls) func `another account's campaign does not exist`(
        _ method: HTTPRequest.Method, _ call: String, _ body: String?
    ) async throws {
        try await APIFixture.withCustomer { fixture, owner, ownersAPI in
            let campaign = try await ownersAPI.draft(3)
            let before = try await fixture.state(owner.account)
            let stranger = try await fixture.customer()
            try await fixture.withAPI(stranger.key) { api in
                let answer = try await api.call(
                    method, "/v1/campaigns/\(campaign)\(call)", body: body, type: "application/x-ndjson",
                    idempotencyKey: method == .post ? "k" : nil)
                answer.expectProblem(404, "not_found")
                // It answers as for a campaign that never was.
                let unknown = try await api.call(
                    method, "/v1/campaigns/cmp_0000000000001\(call)", body: body, type: "application/x-ndjson")
                unknown.expectProblem(404, "not_found")
                #expect(unknown.json["detail"] == answer.json["detail"])
            }
            #expect(try await fixture.state(owner.account) == before)
            #expect(try await fixture.count("idempotency_keys", stranger.account) == 0)
        }
    }

    @Test func `lists, suppressions and domains of another account do not show`() async throws {
        try await APIFixture.withCustomer { fixture, _, owner in
            _ = try await owner.draft(1)
            _ = try await owner.post("/v1/suppressions", #"{"addresses": ["a@example.org"]}"#)
            #expect(try await owner.post("/v1/domains", #"{"domain": "own.example"}"#).status == 201)
            let stranger = try await fixture.customer(credits: 0)
            try await fixture.withAPI(stranger.key) { api in
                for path in ["/v1/campaigns", "/v1/suppressions", "/v1/domains", "/v1/credits/entries"] {
                    #expect(try await api.get(path).json["data"] == .list([]))
                }
                #expect(try await api.get("/v1/suppressions?address=a@example.org").json["data"] == .list([]))
                try await api.delete("/v1/suppressions/a@example.org").expectProblem(404, "not_found")
                try await api.get("/v1/domains/own.example").expectProblem(404, "domain_not_found")
                try await api.delete("/v1/domains/own.example").expectProblem(404, "domain_not_found")
            }
            #expect(try await owner.get("/v1/suppressions?address=a@example.org").json["data"].elements.count == 1)
            #expect(try await owner.get("/v1/domains/own.example").status == 200)
        }
    }
}
