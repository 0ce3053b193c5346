import HTTPAPI
import HTTPTypes
import Identity
import Logging
import MailTypes
import Postgres
import TestDatabases
import Testing
import Vault

/// `/v1/session`, and what its cookies open.
@Suite struct SessionRouteTests {
    private static let key = #"{"name": "n", "scopes": ["credits:read"]}"#

    private static func credentials(_ user: User, _ password: String = Browser.password) -> String {
        #"{"email": "\#(user.address.text)", "password": "\#(password)"}"#
    }

    @Test func `a person signs in, is known, and signs out`() async throws {
        try await APIFixture.withOwner { fixture, customer, browser in
            let known = try await browser.get("/v1/session")
            #expect(known.status == 200)
            #expect(known.json["user"].string == "\(browser.user.id)" && known.json["role"] == "owner")
            #expect(known.json["account"].string == "\(customer.account)")
            #expect(known.json["email"].string == browser.user.address.text)
            #expect(known.json["csrf_token"].string == browser.proof)
            #expect(try await browser.get("/v1/credits").json["available"] == 1_000)
            #expect(known.headers[values: .setCookie].isEmpty)
            let end = try await browser.call(.delete, "/v1/session")
            #expect(end.status == 204)
            #expect(end.headers[values: .setCookie].count == 2)
            for field in end.headers[values: .setCookie] { #expect(field.contains("=; Path=/; Max-Age=0;")) }
            try await browser.get("/v1/credits").expectProblem(401, "unauthorized")
        }
    }

    @Test func `cookies are for this host, for TLS, and for no script`() async throws {
        try await APIFixture.withOwner { fixture, _, browser in
            let answer = try await browser.api.post("/v1/session", Self.credentials(browser.user))
            answer.expectHeaders()
            let fields = answer.headers[values: .setCookie]
            #expect(fields.count == 2)
            for (field, age) in zip(fields.sorted(), [2_592_000, 3_600]) {
                #expect(field.hasPrefix("__Host-sluice-"))
                #expect(field.hasSuffix("; Path=/; Max-Age=\(age); Secure; HttpOnly; SameSite=Strict"))
                #expect(!field.contains("Domain"))
                let value = field.drop { $0 != "=" }.dropFirst().prefix { $0 != ";" }
                #expect(!answer.text.contains(value))
            }
        }
    }

    @Test func `who is refused learns nothing but that`() async throws {
        try await APIFixture.withOwner { fixture, _, browser in
            let wrong = try await browser.api.post(
                "/v1/session", Self.credentials(browser.user, "rope lantern 42 goose"))
            let unknown = try await browser.api.post(
                "/v1/session", #"{"email": "nobody@example.org", "password": "rope lantern 42 goose"}"#)
            for answer in [wrong, unknown] {
                answer.expectProblem(401, "sign_in_refused")
                #expect(answer.headers[values: .setCookie].isEmpty)
            }
            #expect(wrong.json["detail"] == unknown.json["detail"])
        }
    }

    /// What is no address is nobody's, and no fault of the server either.
    @Test(arguments: [#"\u0000"#, #"a\u0000@example.org"#, "", "nobody", "😀@", #"'; SELECT 1 --"#])
    func `whatever is typed for an address is refused in the same words`(_ typed: String) async throws {
        let fixture = try await APIFixture.make()
        try await fixture.withPages { api in
            let answer = try await api.post(
                "/v1/session", #"{"email": "\#(typed)", "password": "rope lantern 42 goose"}"#)
            answer.expectProblem(401, "sign_in_refused")
        }
    }

    @Test(arguments: [
        ("", 400, "invalid_json"), ("[]", 422, "invalid_field"), ("{}", 422, "missing_field"),
        (#"{"email": "a@example.org"}"#, 422, "missing_field"),
        (#"{"email": "a@example.org", "password": 7}"#, 422, "invalid_field"),
        (#"{"email": ["a@example.org"], "password": "x"}"#, 422, "invalid_field"),
        (#"{"email": "a@example.org", "password": "x", "remember": true}"#, 422, "unknown_field"),
        (#"{"email": "a@example.org", "password": "x", "password": "y"}"#, 422, "duplicate_field"),
        (
            #"{"email": "a@example.org", "password": ""# + String(repeating: "x", count: 8_192) + #""}"#, 413,
            "body_too_large"
        ),
    ]) func `bad input signs nobody in`(_ body: String, _ status: Int, _ code: String) async throws {
        try await APIFixture.shared().withPages { api in
            try await api.post("/v1/session", body).expectProblem(status, code)
        }
    }

    @Test func `after five failures the answer is to wait`() async throws {
        let fixture = try await APIFixture.make()
        let customer = try await fixture.customer()
        let owner = try await fixture.user(.member(customer.account, .owner))
        try await fixture.withPages { api in
            for _ in 0..<5 {
                try await api.post("/v1/session", Self.credentials(owner, "rope lantern 42 goose"))
                    .expectProblem(401, "sign_in_refused")
            }
            let answer = try await api.post("/v1/session", Self.credentials(owner))
            answer.expectProblem(429, "too_many_sign_ins")
            let seconds = try #require(answer.headers[.retryAfter].flatMap { Int($0) })
            #expect((1...900).contains(seconds))
        }
    }

    // MARK: Sessions

    /// Somebody has put the cookies of a session of their own into the victim's browser before it signs in.
    @Test func `a session that was there before the sign-in does not become the user's`() async throws {
        try await APIFixture.withOwner { fixture, customer, victim in
            let stranger = try await fixture.customer()
            let attacker = try await fixture.signIn(
                try await fixture.user(.member(stranger.account, .owner)), victim.api)
            let answer = try await victim.api.call(
                .post, "/v1/session", body: Self.credentials(victim.user),
                headers: [
                    "Cookie": "__Host-sluice-token=\(attacker.token); __Host-sluice-refresh=\(attacker.refresh)"
                ])
            #expect(answer.status == 201)
            for name in ["token", "refresh"] {
                let value = try #require(answer.cookie(name))
                #expect(![attacker.token, attacker.refresh, victim.token, victim.refresh].contains(value))
            }
            #expect(![attacker.session, victim.session].contains(try #require(answer.json["session"].string)))
            #expect(try await attacker.get("/v1/session").json["user"].string == "\(attacker.user.id)")
        }
    }

    @Test func `the refresh cookie alone brings a new token`() async throws {
        try await APIFixture.withOwner { fixture, _, browser in
            var later = browser
            later.token = "x"
            let answer = try await later.get("/v1/credits")
            #expect(answer.status == 200 && answer.headers[values: .setCookie].count == 1)
            later.token = try #require(answer.cookie("token"))
            later.refresh = "x"
            #expect(try await later.get("/v1/session").json["session"].string == browser.session)
            // It comes with refusals too, or the browser would refresh for ever.
            later.token = "x"
            later.refresh = browser.refresh
            let refused = try await later.get("/v1/campaigns/cmp_0000000000000")
            refused.expectProblem(404, "not_found")
            #expect(refused.cookie("token") != nil)
        }
    }

    @Test(arguments: ["session", "user", "account", "password"])
    func `cookies of a session that was ended open nothing`(_ way: String) async throws {
        try await APIFixture.withOwner { fixture, customer, browser in
            #expect(try await browser.get("/v1/credits").status == 200)
            let sessions = fixture.services.sessions
            switch way {
            case "session":
                let id = try #require(SessionID(browser.session))
                #expect(try await sessions.end(id, of: customer.account))
            case "user": #expect(try await sessions.endAll(of: browser.user.id, in: customer.account))
            case "account": try await sessions.endAll(of: customer.account)
            default:
                try await fixture.users.setPassword(
                    "rope lantern 42 goose", of: browser.user.id, in: customer.account)
            }
            for path in ["/v1/credits", "/v1/session", "/v1/nothing"] {
                let answer = try await browser.get(path)
                answer.expectProblem(401, "unauthorized")
                #expect(answer.headers[values: .setCookie].isEmpty)
            }
        }
    }

    @Test func `a cookie that comes twice counts as none`() async throws {
        try await APIFixture.withOwner { fixture, _, browser in
            for cookies in [
                "__Host-sluice-token=\(browser.token); __Host-sluice-token=x", "__Host-sluice-token=",
                "__Host-sluice-token", "__host-sluice-token=\(browser.token)", "sluice-token=\(browser.token)",
                "__Host-sluice-token=\"\(browser.token)\"", "__Host-sluice-token=\(browser.refresh)",
                "__Host-sluice-refresh=\(browser.token)",
                "__Host-sluice-token=" + String(repeating: "x", count: 8_000), "=;=;;;", "a",
            ] {
                try await browser.call(.get, "/v1/credits", with: ["Cookie": cookies])
                    .expectProblem(401, "unauthorized")
            }
            let many = (0..<90).map { "c\($0)=x; " }.joined() + "__Host-sluice-token=\(browser.token)"
            #expect(try await browser.call(.get, "/v1/credits", with: ["Cookie": many]).status == 200)
        }
    }

    @Test func `a key that is shown goes before cookies`() async throws {
        try await APIFixture.withOwner { fixture, customer, browser in
            try await browser.call(.get, "/v1/credits", with: ["Authorization": "Bearer sl_live_x"])
                .expectProblem(401, "unauthorized")
            let key = try await fixture.key(of: customer, ["campaigns:read"])
            try await browser.call(.get, "/v1/credits", with: ["Authorization": "Bearer \(key)"])
                .expectProblem(403, "scope_missing")
        }
    }

    @Test func `a key is nobody's session`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            try await api.get("/v1/session").expectProblem(403, "session_required")
            try await api.delete("/v1/session").expectProblem(403, "session_required")
        }
    }

    // MARK: Pages of others

    static let foreign: [([String: String], String)] = [
        (["Origin": ""], "origin_refused"), (["Origin": "null"], "origin_refused"),
        (["Origin": "https://attacker.example"], "origin_refused"),
        (["Origin": "http://mail.example.com"], "origin_refused"),
        (["Origin": "https://mail.example.com:8443"], "origin_refused"),
        (["Origin": "https://mail.example.com.attacker.example"], "origin_refused"),
        (["Origin": "https://attacker.example/https://mail.example.com"], "origin_refused"),
        (["Origin": "https://localhost"], "origin_refused"),
        (["Sec-Fetch-Site": "cross-site"], "origin_refused"), (["Sec-Fetch-Site": "same-site"], "origin_refused"),
        (["Sec-Fetch-Site": "none"], "origin_refused"), (["Sec-Fetch-Site": "x"], "origin_refused"),
        (["X-CSRF-Token": ""], "csrf_token_missing"), (["X-CSRF-Token": "x"], "csrf_token_missing"),
    ]

    @Test(arguments: foreign) func `what a page of others can send with the cookies changes nothing`(
        _ headers: [String: String], _ code: String
    ) async throws {
        try await APIFixture.withOwner { fixture, customer, browser in
            let draft = try await browser.call(.post, "/v1/campaigns", API.draft)
            #expect(draft.status == 201)
            let id = try #require(draft.json["id"].string)
            let before = try await fixture.state(customer.account)
            for (method, path, body) in [
                (HTTPRequest.Method.post, "/v1/keys", Self.key), (.post, "/v1/campaigns/\(id)/send", ""),
                (.delete, "/v1/campaigns/\(id)", ""), (.delete, "/v1/session", ""), (.patch, "/v1/nothing", ""),
            ] {
                try await browser.call(method, path, body, idempotencyKey: "k", with: headers)
                    .expectProblem(403, code)
            }
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test func `a page of ours changes what its user may change`() async throws {
        try await APIFixture.withOwner { fixture, customer, browser in
            let other = try await fixture.signIn(browser.user, browser.api)
            try await browser.call(.post, "/v1/keys", Self.key, with: ["X-CSRF-Token": other.proof])
                .expectProblem(403, "csrf_token_missing")
            for site in ["", "same-origin"] {
                let made = try await browser.call(.post, "/v1/keys", Self.key, with: ["Sec-Fetch-Site": site])
                #expect(made.status == 201, "\(made.text)")
            }
            // Reading needs neither; the browser sends no cookies from elsewhere.
            let read = try await browser.call(.get, "/v1/keys", with: ["Origin": "", "X-CSRF-Token": ""])
            #expect(read.status == 200 && read.json["data"].elements.count == 3)
        }
    }

    @Test func `no page of others signs a visitor in`() async throws {
        try await APIFixture.withOwner { fixture, _, browser in
            func status(_ headers: [String: String]) async throws -> Answer {
                try await browser.api.call(
                    .post, "/v1/session", body: Self.credentials(browser.user), headers: headers)
            }
            for headers in [
                ["Origin": "https://attacker.example"], ["Origin": "null"], ["Sec-Fetch-Site": "cross-site"],
                ["Origin": Browser.origin, "Sec-Fetch-Site": "cross-site"],
            ] { try await status(headers).expectProblem(403, "origin_refused") }
            for headers in [
                [:], ["Origin": Browser.origin], ["Origin": Browser.origin, "Sec-Fetch-Site": "same-origin"],
            ] {
                #expect(try await status(headers).status == 201)
            }
        }
    }

    @Test func `without a configured address the request's own host is the page's`() async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        let owner = try await fixture.user(.member(customer.account, .owner))
        try await fixture.withAPI { api in
            let browser = try await fixture.signIn(owner, api)
            // The test's client asks `localhost`.
            for (origin, isOurs) in [
                ("https://localhost", true), ("http://localhost", true), ("https://localhost:1", false),
                ("https://mail.example.com", false),
            ] {
                let answer = try await browser.call(.post, "/v1/keys", Self.key, with: ["Origin": origin])
                #expect(answer.status == (isOurs ? 201 : 403), "\(origin)")
            }
        }
    }

    // MARK: Logs

    @Test func `nothing of a sign-in is logged`() async throws {
        try await APIFixture.withOwner { fixture, _, browser in
            let log = CapturedLog()
            log.logger.trace("it begins")
            try await fixture.withPages(logger: log.logger) { api in
                let again = try await fixture.signIn(browser.user, api)
                _ = try await again.get("/v1/credits")
                _ = try await api.post("/v1/session", Self.credentials(browser.user, "canary-password-1"))
                _ = try await api.post(
                    "/v1/session", #"{"email": "canary-password-2", "password": ["canary-password-3"]}"#)
                _ = try await again.call(.delete, "/v1/session")
                for secret in [
                    again.token, again.refresh, again.proof, browser.user.address.text, Browser.password,
                    "canary-password",
                ] { #expect(!log.text.contains(secret), "\(secret.prefix(16))") }
            }
            #expect(log.text.contains("it begins"), "nothing is captured, so nothing is searched")
        }
    }
}
