import Crypto
import HTTPAPI
import HTTPTypes
import Logging
import MailTypes
import Passwords
import Postgres
import Synchronization
import TestDatabases
import TestSupport
import Testing
import Vault

@testable import Identity

/// `/v1/session/second-factor` and `/v1/me`: signing in in two steps, and what goes with it.
@Suite struct SecondFactorRouteTests {
    /// Seconds since 1970 that a test turns.
    private final class Watch: Sendable {
        private let time = Atomic<Int64>(1_800_000_000)
        var seconds: Int64 { time.load(ordering: .relaxed) }
        func advance(bySeconds seconds: Int64) { time.add(seconds, ordering: .relaxed) }
    }

    /// A user with a second factor, over a server whose codes go by a clock of the test's.
    private struct Enrolled {
        let fixture: APIFixture
        let browser: Browser
        let app: TOTP
        let recoveryCodes: [String]
        let watch: Watch

        var code: String { app.code(at: TOTP.step(at: watch.seconds)) }
        var credentials: String { SecondFactorRouteTests.credentials(browser.user) }

        /// The cookie of the first step.
        func step() async throws -> String {
            let answer = try await browser.api.post("/v1/session", credentials)
            guard answer.status == 202, let step = answer.cookie("step") else { throw Unexpected(answer: answer) }
            return step
        }

        func finish(_ step: String?, _ body: String, with headers: [String: String] = [:]) async throws -> Answer {
            let cookie = step.map { ["Cookie": "__Host-sluice-step=\($0)"] } ?? [:]
            return try await browser.api.call(
                .post, "/v1/session/second-factor", body: body, headers: cookie.merging(headers) { $1 })
        }
    }

    private static func credentials(_ user: User, _ password: String = Browser.password) -> String {
        #"{"email": "\#(user.address.text)", "password": "\#(password)"}"#
    }

    private static let password = #"{"password": "\#(Browser.password)"}"#

    /// What stands in a secret as it is shown (RFC 4648, without padding).
    static func octets(_ base32: String) -> [UInt8] {
        let bits = base32.utf8.flatMap { digit in
            let value = Base32.rfc4648.firstIndex(of: digit) ?? 0
            return (0..<5).reversed().map { value >> $0 & 1 }
        }
        return stride(from: 0, to: bits.count / 8 * 8, by: 8).map { start in
            bits[start..<start + 8].reduce(0) { $0 << 1 | UInt8($1) }
        }
    }

    private static func withEnrolled<Value>(
        hasOwnDatabase: Bool = false, logger: CapturedLog? = nil, _ body: @Sendable (Enrolled) async throws -> Value
    ) async throws -> Value {
        // Failures count for the network, which all tests share.
        var fixture = try await hasOwnDatabase ? APIFixture.make() : APIFixture.shared()
        let watch = Watch()
        let now: @Sendable () -> Int64 = { watch.seconds }
        let pool = fixture.records.pool
        fixture.services.factors = SecondFactors(pool: pool, vault: fixture.vault, now: now)
        fixture.services.signIn = SignIn(
            pool: pool, sessions: fixture.services.sessions, hasher: PasswordHasher(.cheap),
            factors: fixture.services.factors, vault: fixture.vault, now: now)
        let made = fixture
        let customer = try await made.customer()
        let owner = try await made.user(.member(customer.account, .owner))
        return try await made.withPages(logger: logger?.logger ?? .silent) { api in
            let browser = try await made.signIn(owner, api)
            let secret = try await browser.call(.post, "/v1/me/second-factor", Self.password)
            guard let text = secret.json["secret"].string else { throw Unexpected(answer: secret) }
            let app = TOTP(secret: octets(text))
            let confirmed = try await browser.call(
                .post, "/v1/me/second-factor/confirm",
                #"{"code": "\#(app.code(at: TOTP.step(at: watch.seconds)))"}"#)
            guard confirmed.status == 200 else { throw Unexpected(answer: confirmed) }
            watch.advance(bySeconds: 30)
            return try await body(
                Enrolled(
                    fixture: made, browser: browser, app: app,
                    recoveryCodes: confirmed.json["recovery_codes"].elements.compactMap(\.string), watch: watch))
        }
    }

    private let document = DocumentScanner(OpenAPIDocument.text)

    // MARK: From its making to its end

    @Test func `a person signs in in two steps, and does without again`() async throws {
        try await Self.withEnrolled { enrolled in
            let first = try await enrolled.browser.api.post("/v1/session", enrolled.credentials)
            #expect(first.status == 202)
            #expect(first.json["second_factor"] == .list(["code", "recovery_code"]))
            #expect(first.json["expires_in"].integer == 300)
            #expect(first.json.names == document.members(of: "SignInStep"))
            // Nothing of a session yet.
            let fields = first.headers[values: .setCookie]
            #expect(fields.count == 1)
            #expect(fields[0].hasPrefix("__Host-sluice-step="))
            #expect(fields[0].hasSuffix("; Path=/; Max-Age=300; Secure; HttpOnly; SameSite=Strict"))
            let step = try #require(first.cookie("step"))
            #expect(!first.text.contains(step))
            for name in ["token", "refresh"] {
                try await enrolled.browser.api.call(
                    .get, "/v1/session", headers: ["Cookie": "__Host-sluice-\(name)=\(step)"]
                ).expectProblem(401, "unauthorized")
            }
            let second = try await enrolled.finish(step, #"{"code": "\#(enrolled.code)"}"#)
            #expect(second.status == 201, "\(second.text)")
            #expect(second.json.names == document.members(of: "Session"))
            #expect(second.headers[values: .setCookie].count == 3)
            #expect(second.cookie("step") == "" && second.cookie("refresh") != nil)
            var browser = enrolled.browser
            browser.token = try #require(second.cookie("token"))
            browser.refresh = try #require(second.cookie("refresh"))
            browser.proof = try #require(second.json["csrf_token"].string)
            #expect(try await browser.get("/v1/credits").status == 200)

            let state = try await browser.get("/v1/me/second-factor")
            #expect(state.json["enabled"] == true && state.json["recovery_codes"].integer == 10)
            #expect(state.json.names == document.members(of: "SecondFactor"))
            #expect(state.json["changes"][0].names == document.members(of: "SecondFactorChange"))
            #expect(state.json["changes"][0]["change"] == "enabled")
            let new = try await browser.call(
                .post, "/v1/me/recovery-codes", #"{"recovery_code": "\#(enrolled.recoveryCodes[0])"}"#)
            #expect(new.status == 201 && new.json.names == document.members(of: "RecoveryCodes"))
            #expect(new.json["recovery_codes"].elements.count == 10)
            #expect(try await browser.call(.post, "/v1/me/second-factor/disable", Self.password).status == 204)
            #expect(try await browser.get("/v1/me/second-factor").json["enabled"] == false)
            #expect(try await browser.api.post("/v1/session", enrolled.credentials).status == 201)
        }
    }

    @Test func `the first step tells of a second factor to whoever knows the password, and to nobody else`()
        async throws
    {
        try await Self.withEnrolled(hasOwnDatabase: true) { enrolled in
            let plain = try await enrolled.fixture.user(
                .member(try await enrolled.fixture.customer().account, .owner))
            var answers: [Answer] = []
            for user in [enrolled.browser.user, plain] {
                let answer = try await enrolled.browser.api.post(
                    "/v1/session", Self.credentials(user, "rope lantern 42 goose"))
                answer.expectProblem(401, "sign_in_refused")
                #expect(answer.headers[values: .setCookie].isEmpty)
                answers.append(answer)
            }
            func text(_ answer: Answer) -> String { answer.text.replacing(/"reference":"[^"]*"/, with: "") }
            #expect(text(answers[0]) == text(answers[1]))
        }
    }

    @Test func `the second step belongs to the browser of the first`() async throws {
        try await Self.withEnrolled(hasOwnDatabase: true) { enrolled in
            let right = #"{"code": "\#(enrolled.code)"}"#
            let step = try await enrolled.step()
            try await enrolled.finish(nil, right).expectProblem(401, "sign_in_step_over")
            for cookies in [
                "__Host-sluice-step=", "__Host-sluice-step=x", "sluice-step=\(step)",
                "__Host-sluice-step=\(step); __Host-sluice-step=\(step)", "__Host-sluice-token=\(step)",
                "__Host-sluice-token=\(enrolled.browser.token); __Host-sluice-refresh=\(enrolled.browser.refresh)",
            ] {
                try await enrolled.finish(nil, right, with: ["Cookie": cookies])
                    .expectProblem(401, "sign_in_step_over")
            }
            for headers in [["Origin": "https://attacker.example"], ["Sec-Fetch-Site": "cross-site"]] {
                try await enrolled.finish(step, right, with: headers).expectProblem(403, "origin_refused")
            }
            #expect(try await enrolled.finish(step, right, with: ["Origin": Browser.origin]).status == 201)
            // It may be shown again, and its code may not.
            try await enrolled.finish(step, right).expectProblem(401, "second_factor_refused")
            enrolled.watch.advance(bySeconds: 301)
            try await enrolled.finish(step, #"{"code": "\#(enrolled.code)"}"#).expectProblem(401, "sign_in_step_over")
        }
    }

    @Test func `a recovery code is taken once, and shows among the changes`() async throws {
        try await Self.withEnrolled(hasOwnDatabase: true) { enrolled in
            let body = #"{"recovery_code": "\#(enrolled.recoveryCodes[4].lowercased())"}"#
            #expect(try await enrolled.finish(enrolled.step(), body).status == 201)
            let again = try await enrolled.finish(enrolled.step(), body)
            again.expectProblem(401, "second_factor_refused")
            let wrong = try await enrolled.finish(enrolled.step(), #"{"code": "x"}"#)
            #expect(wrong.json["detail"] == again.json["detail"])
            let state = try await enrolled.browser.get("/v1/me/second-factor").json
            #expect(state["recovery_codes"].integer == 9)
            #expect(state["changes"][0]["change"] == "recovery_code_used")
        }
    }

    @Test func `after five wrong codes the answer is to wait, and after twenty of a day to use a recovery code`()
        async throws
    {
        try await Self.withEnrolled(hasOwnDatabase: true) { enrolled in
            for _ in 0..<5 {
                try await enrolled.finish(enrolled.step(), #"{"code": "x"}"#)
                    .expectProblem(401, "second_factor_refused")
            }
            let step = try SignInStepProbe.step(enrolled.browser.user, enrolled.fixture, enrolled.watch.seconds)
            let answer = try await enrolled.finish(step, #"{"code": "\#(enrolled.code)"}"#)
            answer.expectProblem(429, "too_many_sign_ins")
            let account = enrolled.browser.user.kind.account
            try await enrolled.fixture.records.owner.query(
                "UPDATE second_factors SET attempts = 20 WHERE account_id = \(account.rawValue)")
            try await enrolled.fixture.records.owner.query("DELETE FROM sign_in_attempts")
            let day = try await enrolled.finish(step, #"{"code": "\#(enrolled.code)"}"#)
            day.expectProblem(429, "too_many_codes")
            let seconds = try #require(day.headers[.retryAfter].flatMap { Int($0) })
            #expect((86_000...86_400).contains(seconds))
            let code = #"{"recovery_code": "\#(enrolled.recoveryCodes[0])"}"#
            #expect(try await enrolled.finish(step, code).status == 201)
        }
    }

    // MARK: Who may

    @Test func `a key has no second factor, and a page of others changes none`() async throws {
        try await Self.withEnrolled { enrolled in
            let key = try await enrolled.fixture.key(
                of: Customer(account: enrolled.browser.user.kind.account, key: "", keyID: APIKeyID(rawValue: 1)), ["*"])
            let account = enrolled.browser.user.kind.account
            let before = try await enrolled.fixture.state(account)
            for (method, path, body) in [
                (HTTPRequest.Method.get, "/v1/me/second-factor", nil),
                (.post, "/v1/me/second-factor", Self.password), (.post, "/v1/me/second-factor/confirm", "{}"),
                (.post, "/v1/me/second-factor/disable", Self.password),
                (.post, "/v1/me/recovery-codes", Self.password),
            ] as [(HTTPRequest.Method, String, String?)] {
                try await API(client: enrolled.browser.api.client, key: key).call(method, path, body: body)
                    .expectProblem(403, "session_required")
                try await enrolled.browser.api.call(method, path, body: body).expectProblem(401, "unauthorized")
                guard method != .get else { continue }
                try await enrolled.browser.call(method, path, body, with: ["Origin": "https://attacker.example"])
                    .expectProblem(403, "origin_refused")
                try await enrolled.browser.call(method, path, body, with: ["X-CSRF-Token": ""])
                    .expectProblem(403, "csrf_token_missing")
            }
            #expect(try await enrolled.fixture.state(account) == before)
        }
    }

    @Test func `without the password or a code nothing is changed`() async throws {
        try await Self.withEnrolled(hasOwnDatabase: true) { enrolled in
            let wrong = #"{"password": "rope lantern 42 goose"}"#
            let account = enrolled.browser.user.kind.account
            func factors() async throws -> [String] {
                try await enrolled.fixture.records.owner.query(
                    """
                    SELECT f.sealed::text || coalesce(f.confirmed_at::text, '') || c.code_hash::text FROM second_factors f
                    JOIN recovery_codes c USING (account_id, user_id) WHERE account_id = \(account.rawValue) ORDER BY 1
                    """
                ).map { try $0.decode(String.self) }
            }
            let before = try await factors()
            #expect(before.count == 10)
            for (path, body) in [
                ("/v1/me/second-factor", wrong), ("/v1/me/second-factor/disable", wrong),
                ("/v1/me/recovery-codes", wrong), ("/v1/me/second-factor/disable", #"{"code": "1"}"#),
            ] {
                try await enrolled.browser.call(.post, path, body).expectProblem(403, "proof_refused")
            }
            try await enrolled.browser.call(.post, "/v1/me/second-factor", Self.password)
                .expectProblem(409, "second_factor_exists")
            #expect(try await factors() == before)
        }
    }

    @Test(arguments: [
        ("", 400, "invalid_json"), ("[]", 422, "invalid_field"), (#"{"code": 123456}"#, 422, "invalid_field"),
        (#"{"code": "1", "extra": 1}"#, 422, "unknown_field"), (#"{"code": "1", "code": "2"}"#, 422, "duplicate_field"),
        (#"{"code": ""# + String(repeating: "1", count: 8_192) + #""}"#, 413, "body_too_large"),
    ]) func `bad input changes nothing`(_ body: String, _ status: Int, _ code: String) async throws {
        try await Self.withEnrolled { enrolled in
            let account = enrolled.browser.user.kind.account
            let step = try await enrolled.step()
            let before = try await enrolled.fixture.state(account)
            try await enrolled.finish(step, body).expectProblem(status, code)
            for path in ["second-factor/confirm", "second-factor/disable", "recovery-codes"] {
                try await enrolled.browser.call(.post, "/v1/me/\(path)", body).expectProblem(status, code)
            }
            for body in ["{}", #"{"code": "1", "recovery_code": "2"}"#] {
                try await enrolled.finish(step, body).expectProblem(422, "invalid_field")
                try await enrolled.browser.call(.post, "/v1/me/second-factor/disable", body)
                    .expectProblem(422, "invalid_field")
            }
            try await enrolled.finish(step, Self.password).expectProblem(422, "unknown_field")
            #expect(try await enrolled.fixture.state(account) == before)
        }
    }

    @Test func `the document has the bodies of second factors`() {
        #expect(document.members(of: "SecondFactorCode") == ["code", "recovery_code"])
        #expect(document.members(of: "Password") == ["password"])
        #expect(document.members(of: "FirstCode") == ["code"])
        #expect(document.members(of: "Proof") == ["password", "code", "recovery_code"])
        #expect(document.members(of: "SecondFactorSecret") == ["secret", "uri"])
    }

    @Test func `nothing of a second factor is logged`() async throws {
        let log = CapturedLog()
        log.logger.trace("it begins")
        try await Self.withEnrolled(hasOwnDatabase: true, logger: log) { enrolled in
            let step = try await enrolled.step()
            let code = enrolled.code
            _ = try await enrolled.finish(step, #"{"code": "canary-code"}"#)
            _ = try await enrolled.finish(step, #"{"code": ["canary-code"]}"#)
            let second = try await enrolled.finish(step, #"{"code": "\#(code)"}"#)
            _ = try await enrolled.browser.call(
                .post, "/v1/me/recovery-codes", #"{"recovery_code": "\#(enrolled.recoveryCodes[0])"}"#)
            for secret in enrolled.recoveryCodes + [
                step, code, "canary-code", Base32.text(enrolled.app.secret), Browser.password,
                second.cookie("token") ?? "-", second.cookie("refresh") ?? "-", enrolled.browser.user.address.text,
            ] { #expect(!log.text.contains(secret), "\(secret.prefix(12))") }
        }
        #expect(log.text.contains("it begins"), "nothing is captured, so nothing is searched")
    }
}

/// Steps as the server makes them, where an attempt too many keeps it from doing so.
private enum SignInStepProbe {
    static func step(_ user: User, _ fixture: APIFixture, _ now: Int64) throws -> String {
        SignInStep(
            user, SessionGeneration(user: 0, account: 0), end: now + 300,
            key: SymmetricKey(data: fixture.vault.peopleKey)
        ).text.exposed
    }
}
