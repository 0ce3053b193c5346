import HTTPAPI
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Identity
import Postgres
import TestDatabases
import TestSupport
import Testing

/// What answers tell of the limit of a key or a person.
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

    // MARK: People

    private static func withUserLimit<Value>(
        _ perMinute: Int?, _ body: @Sendable (APIFixture, Browser) async throws -> Value
    ) async throws -> Value {
        var fixture = try await APIFixture.shared()
        fixture.services.userLimiter = RequestLimiter(pool: fixture.records.pool, perMinute: perMinute)
        let limited = fixture
        let customer = try await limited.customer()
        let owner = try await limited.user(.member(customer.account, .owner))
        return try await limited.withPages { api in
            try await body(limited, try await limited.signIn(owner, api))
        }
    }

    @Test func `a person's answers say what is left, over all sessions, and the one beyond says when it goes on`()
        async throws
    {
        try await Self.withUserLimit(5) { fixture, browser in
            let other = try await fixture.signIn(browser.user, browser.api)
            let answers = [
                try await browser.get("/v1/credits"), try await other.get("/v1/nothing"),
                try await browser.get("/v1/session"), try await other.call(.post, "/v1/campaigns", "{}"),
                try await browser.get("/v1/campaigns?limit=0"),
            ]
            #expect(answers.map(\.status) == [200, 404, 200, 422, 422])
            for (place, answer) in answers.enumerated() {
                #expect(answer.headers[Self.policy] == #""user";q=5;w=60"#)
                let told = try #require(answer.headers[Self.limit])
                #expect(told.wholeMatch(of: /"user";r=(\d+);t=(\d+)/)?.1 == "\(4 - place)", "\(told)")
            }
            let account = browser.user.kind.account
            let before = try await fixture.state(account)
            for session in [browser, other] {
                let refused = try await session.call(.post, "/v1/campaigns", API.draft)
                refused.expectProblem(429, "user_rate_limited")
                let seconds = try #require(refused.headers[.retryAfter].flatMap { Int($0) })
                #expect((1...60).contains(seconds))
                #expect(refused.headers[Self.limit] == #""user";r=0;t=\#(seconds)"#)
            }
            #expect(try await fixture.state(account) == before)
            // A further session brings no further requests.
            let third = try await fixture.signIn(browser.user, browser.api)
            try await third.get("/v1/credits").expectProblem(429, "user_rate_limited")
        }
    }

    @Test func `colleagues and operators have their own minute, and a page of others takes none of it`() async throws {
        try await Self.withUserLimit(1) { fixture, browser in
            for (headers, code) in [
                (["Origin": "https://attacker.example"], "origin_refused"),
                (["X-CSRF-Token": "x"], "csrf_token_missing"),
            ] {
                let answer = try await browser.call(.post, "/v1/campaigns", API.draft, with: headers)
                answer.expectProblem(403, code)
                #expect(answer.headers[Self.policy] == nil)
            }
            #expect(try await browser.get("/v1/credits").status == 200)
            try await browser.get("/v1/credits").expectProblem(429, "user_rate_limited")
            for kind in [UserKind.member(browser.user.kind.account, .viewer), .installationOperator] {
                let other = try await fixture.signIn(try await fixture.user(kind), browser.api)
                #expect(try await other.get("/v1/session").status == 200)
                try await other.get("/v1/session").expectProblem(429, "user_rate_limited")
            }
        }
    }

    @Test func `without a limit a person's answers tell of none`() async throws {
        try await Self.withUserLimit(nil) { _, browser in
            let answer = try await browser.get("/v1/credits")
            #expect(answer.status == 200 && answer.headers[Self.policy] == nil)
        }
    }
}
