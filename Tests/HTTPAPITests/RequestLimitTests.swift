import HTTPAPI
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Identity
import Postgres
import TestDatabases
import TestSupport
import Testing

/// What answers tell of a key's limit.
@Suite struct RequestLimitTests {
    private static func withLimit<Value>(
        _ perMinute: Int, _ body: @Sendable (APIFixture, Customer, API) async throws -> Value
    ) async throws -> Value {
        try await APIFixture.withCustomer { fixture, customer, _ in
            var services = fixture.services
            services.limiter = RequestLimiter(pool: fixture.pool, perMinute: perMinute)
            let application = Application(router: APIServer.router(services), logger: .silent)
            return try await application.test(.router) {
                try await body(fixture, customer, API(client: $0, key: customer.key))
            }
        }
    }

    private static let policy = HTTPField.Name("RateLimit-Policy")!
    private static let limit = HTTPField.Name("RateLimit")!

    @Test func `each answer says what is left, and the one beyond says when it goes on`() async throws {
        try await Self.withLimit(4) { _, _, api in
            // Refusals count as well: 404 without a route, 404 with one, 422.
            let answers = [
                try await api.get("/v1/credits"), try await api.get("/v1/nothing"),
                try await api.get("/v1/campaigns/cmp_0000000000000"), try await api.get("/v1/campaigns?limit=0"),
            ]
            #expect(answers.map(\.status) == [200, 404, 404, 422])
            for (place, answer) in answers.enumerated() {
                #expect(answer.headers[Self.policy] == #""key";q=4;w=60"#)
                let told = try #require(answer.headers[Self.limit])
                #expect(told.wholeMatch(of: /"key";r=(\d+);t=(\d+)/)?.1 == "\(3 - place)", "\(told)")
            }
            let refused = try await api.get("/v1/credits")
            refused.expectProblem(429, "rate_limited")
            let seconds = try #require(refused.headers[.retryAfter].flatMap { Int($0) })
            #expect((1...60).contains(seconds))
            #expect(refused.headers[Self.limit] == #""key";r=0;t=\#(seconds)"#)
        }
    }

    @Test func `what needs no key has no limit, and a wrong key takes nothing`() async throws {
        try await Self.withLimit(1) { fixture, customer, api in
            let stranger = API(client: api.client)
            for path in ["/health", "/openapi.yaml", "/u/none", "/v1/credits"] {
                #expect(try await stranger.get(path).headers[Self.policy] == nil)
            }
            #expect(try await api.get("/v1/credits").status == 200)
            try await api.get("/v1/credits").expectProblem(429, "rate_limited")
            // Other keys have their own, other accounts too.
            let further = try await fixture.key(of: customer, ["credits:read"])
            #expect(try await API(client: api.client, key: further).get("/v1/credits").status == 200)
        }
    }

    @Test func `a request beyond the limit changes nothing, and a key of a key has its maker's limit`() async throws {
        try await Self.withLimit(1_000) { fixture, customer, _ in
            let (key, record) = try await fixture.acting(for: customer.account) {
                try await fixture.services.keys.create(
                    account: customer.account, name: "few", requestsPerMinute: 2)
            }
            var services = fixture.services
            services.limiter = RequestLimiter(pool: fixture.pool, perMinute: 1_000)
            let application = Application(router: APIServer.router(services), logger: .silent)
            try await application.test(.router) { client in
                let api = API(client: client, key: key.exposed)
                let made = try await api.post("/v1/keys", #"{"name": "n", "scopes": ["credits:read"]}"#)
                #expect(made.json["requests_per_minute"].integer == 2, "\(made.text)")
                _ = try await api.get("/v1/credits")
                let before = try await fixture.state(customer.account)
                try await api.post("/v1/campaigns", API.draft).expectProblem(429, "rate_limited")
                #expect(try await fixture.state(customer.account) == before)
                #expect(record.requestsPerMinute == 2)
            }
        }
    }
}
