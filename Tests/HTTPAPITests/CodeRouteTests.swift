import CreditLedger
import HTTPAPI
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing

@testable import Identity

/// Codes by mail: `/v1/password`, and sign-ins with a new device.
@Suite struct CodeRouteTests {
    private static let password = "rope lantern 42 goose"

    /// A browser that has asked for a code.
    private struct Asker {
        let api: API
        let secret: String

        func post(_ path: String, _ body: String) async throws -> Answer {
            try await api.call(.post, path, body: body, headers: ["Cookie": "__Host-sluice-code=\(secret)"])
        }

        func reset(_ code: String, _ password: String = CodeRouteTests.password) async throws -> Answer {
            try await post("/v1/password", #"{"code": "\#(code)", "password": "\#(password)"}"#)
        }

        func signIn(_ code: String) async throws -> Answer {
            try await post("/v1/session/code", #"{"code": "\#(code)"}"#)
        }
    }

    private func ask(_ api: API, _ address: String) async throws -> Asker {
        let answer = try await api.post("/v1/password/code", #"{"email": "\#(address)"}"#)
        #expect(answer.status == 202, "\(answer.text)")
        #expect(answer.text == #"{"code_mailed":true,"seconds":600}"#)
        let field = try #require(answer.headers[values: .setCookie].first)
        #expect(field.hasPrefix("__Host-sluice-code="))
        #expect(field.hasSuffix("; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Strict"))
        return Asker(api: api, secret: try #require(answer.cookie("code")))
    }

    private func credentials(_ user: User, _ password: String = Browser.password) -> String {
        #"{"email": "\#(user.address.text)", "password": "\#(password)"}"#
    }

    /// Another code than this one.
    private func wrong(_ code: String) -> String { code == "000000" ? "000001" : "000000" }

    // MARK: New passwords

    @Test func `a code by mail sets a new password, once, and ends all sessions`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let asker = try await ask(owner.api, owner.user.address.text.uppercased())
            let mails = try await room.deliver()
            let mail = try #require(mails.first)
            #expect(mails.count == 1 && mail.address == owner.user.address.text)
            let shown = try #require(mail["code"])
            #expect(shown.wholeMatch(of: /[0-9]{3} [0-9]{3}/) != nil)
            let code = shown.filter { $0 != " " }
            let rows = try await room.fixture.records.owner.query("SELECT c::text FROM mail_codes c").map {
                try $0.decode(String.self)
            }
            #expect(rows.count == 1 && !rows[0].contains(asker.secret) && !rows[0].contains(code))

            #expect(try await owner.get("/v1/credits").status == 200)
            // As people copy it out of the mail.
            let changed = try await asker.reset(" \(shown) ")
            #expect(changed.status == 204, "\(changed.text)")
            #expect(changed.headers[values: .setCookie].count == 1 && changed.cookie("code") == "")
            try await owner.get("/v1/credits").expectProblem(401, "unauthorized")
            try await owner.api.post("/v1/session", credentials(owner.user)).expectProblem(401, "sign_in_refused")
            #expect(try await owner.api.post("/v1/session", credentials(owner.user, Self.password)).status == 201)
            try await asker.reset(code, "another lantern 9").expectProblem(410, "code_over")
        }
    }

    @Test func `an address that nobody has is answered alike, step by step, and gets no mail`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let known = try await ask(owner.api, owner.user.address.text)
            let root = try await room.fixture.user(.installationOperator)
            for address in ["nobody@example.org", "no address", root.address.text] {
                let unknown = try await ask(owner.api, address)
                #expect(unknown.secret.count == known.secret.count)
                for password in [Self.password, "short", Self.password, "short", Self.password] {
                    try await unknown.reset("000000", password).expectProblem(403, "code_refused")
                }
                try await unknown.reset("000000").expectProblem(410, "code_over")
            }
            let mails = try await room.deliver()
            #expect(mails.map(\.address) == [owner.user.address.text])
            let stored = try await room.fixture.records.owner.query("SELECT c::text FROM mail_codes c").map {
                try $0.decode(String.self)
            }
            #expect(stored.count == 4 && stored.allSatisfy { !$0.contains("nobody") && !$0.contains("no address") })
        }
    }

    @Test func `the sixth attempt fails, also with the right code, and also at the same time`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let slow = try await ask(owner.api, owner.user.address.text)
            let code = try #require(try await room.deliver().first?["code"]?.filter { $0 != " " })
            for _ in 0..<5 { try await slow.reset(wrong(code)).expectProblem(403, "code_refused") }
            try await slow.reset(code).expectProblem(410, "code_over")

            let quick = try await ask(owner.api, owner.user.address.text)
            let second = try #require(try await room.deliver().first?["code"]?.filter { $0 != " " })
            let codes = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<20 { group.addTask { try await quick.reset(wrong(second)).code } }
                return try await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(codes.count { $0 == "code_refused" } == 5 && codes.count { $0 == "code_over" } == 15, "\(codes)")
            try await quick.reset(second).expectProblem(410, "code_over")
            #expect(try await owner.get("/v1/credits").status == 200)
        }
    }

    @Test func `a code is good in the browser that has asked, for its user and its purpose`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let stranger = try await room.fixture.customer()
            let other = try await room.fixture.user(.member(stranger.account, .owner))
            let mine = try await ask(owner.api, owner.user.address.text)
            let theirs = try await ask(owner.api, other.address.text)
            let mails = try await room.deliver()
            let codes = Dictionary(
                uniqueKeysWithValues: mails.map { ($0.address, ($0["code"] ?? "").filter { $0 != " " }) })
            let code = try #require(codes[owner.user.address.text])
            let theirCode = try #require(codes[other.address.text])
            if code != theirCode { try await mine.reset(theirCode).expectProblem(403, "code_refused") }
            for secret in ["", "x", String(mine.secret.reversed()), mine.secret + "x"] {
                try await Asker(api: owner.api, secret: secret).reset(code).expectProblem(410, "code_over")
            }
            try await mine.signIn(code).expectProblem(410, "code_over")
            try await owner.api.post("/v1/password", #"{"code": "\#(code)", "password": "\#(Self.password)"}"#)
                .expectProblem(410, "code_over")
            #expect(try await theirs.reset(theirCode).status == 204)
            #expect(try await owner.get("/v1/credits").status == 200)
            #expect(try await mine.reset(code).status == 204)
        }
    }

    @Test(arguments: ["expired", "another password", "removed"])
    func `a code is over with its time, and with its user's password`(_ way: String) async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let fixture = room.fixture
            let member = try await fixture.user(.member(customer.account, .member))
            let asker = try await ask(owner.api, member.address.text)
            let code = try #require(try await room.deliver().first?["code"])
            switch way {
            case "expired": try await fixture.records.owner.query("UPDATE mail_codes SET expires_at = now()")
            case "another password":
                try await fixture.users.setPassword("violet goose 42 soup", of: member.id, in: customer.account)
            default: try await fixture.users.remove(member.id, from: customer.account)
            }
            try await asker.reset(code).expectProblem(410, "code_over")
        }
    }

    @Test func `of many who use one code at once one sets the password`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let asker = try await ask(owner.api, owner.user.address.text)
            let code = try #require(try await room.deliver().first?["code"])
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<5 {
                    group.addTask { try await asker.reset(code, "rope lantern 42 \(number)").status }
                }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 204 } == 1, "\(statuses)")
        }
    }

    @Test func `a password that is not taken leaves the code for another`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let asker = try await ask(owner.api, owner.user.address.text)
            let code = try #require(try await room.deliver().first?["code"])
            try await asker.reset(code, "short").expectProblem(422, "password_too_short")
            try await asker.reset(code, "password1234").expectProblem(422, "password_too_common")
            #expect(try await asker.reset(code).status == 204)
        }
    }

    @Test func `asking is bounded for an address, and a mailbox gets so many codes in an hour`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            for _ in 0..<5 { _ = try await ask(owner.api, owner.user.address.text) }
            let body = #"{"email": "\#(owner.user.address.text)"}"#
            try await owner.api.post("/v1/password/code", body).expectProblem(429, "too_many_sign_ins")
            // Signing in is counted apart.
            #expect(try await owner.api.post("/v1/session", credentials(owner.user)).status == 201)
            // As from other networks.
            for _ in 0..<2 {
                try await room.fixture.records.owner.query("DELETE FROM sign_in_attempts")
                for _ in 0..<5 { _ = try await ask(owner.api, owner.user.address.text) }
            }
            #expect(try await room.deliver().count == 10)
            try await room.fixture.records.owner.query(
                "UPDATE mail_codes SET created_at = created_at - interval '61 minutes'")
            #expect(
                try await room.fixture.services.signIn.sweep(on: room.fixture.records.pool) >= 15)
        }
    }

    @Test func `where nobody sends mail there are no codes`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            var services = fixture.services
            services.hasMail = false
            let router = APIServer.router(services, exposure: APIExposure(publicURL: Browser.origin))
            try await Application(router: router, logger: .silent).test(.router) { client in
                try await API(client: client).post("/v1/password/code", #"{"email": "a@example.org"}"#)
                    .expectProblem(409, "no_installation_mail")
            }
        }
    }

    @Test(arguments: [
        ("/v1/password/code", #"{"email": "a@example.org"}"#), ("/v1/session/code", #"{"code": "000000"}"#),
        ("/v1/password", #"{"code": "000000", "password": "x"}"#),
    ]) func `no page of others asks or tries, and bad input is refused`(_ path: String, _ body: String) async throws {
        try await APIFixture.shared().withPages { api in
            if path == "/v1/password/code" {
                // No text of the database has a NUL.
                #expect(try await api.post(path, #"{"email": "a\u0000@example.org"}"#).status == 202)
            }
            for headers in [["Origin": "https://attacker.example"], ["Sec-Fetch-Site": "cross-site"]] {
                try await api.call(.post, path, body: body, headers: headers).expectProblem(403, "origin_refused")
            }
            for (body, status, code) in [
                ("", 400, "invalid_json"), ("{}", 422, "missing_field"),
                (body.replacing("{", with: #"{"account": "1", "#), 422, "unknown_field"),
            ] { try await api.post(path, body).expectProblem(status, code) }
        }
    }

    // MARK: New devices

    /// The same people where new devices need a code.
    private func withCodes(
        _ body: @Sendable (Mailroom, Browser, API) async throws -> Void
    ) async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            var services = room.fixture.services
            services.signIn = room.fixture.signIn(asksForCodes: true)
            let router = APIServer.router(services, exposure: APIExposure(publicURL: Browser.origin))
            try await Application(router: router, logger: .silent).test(.router) { client in
                try await body(room, owner, API(client: client))
            }
        }
    }

    @Test func `a new device needs a code beside the password, and is known afterwards`() async throws {
        try await withCodes { room, owner, api in
            let asked = try await api.post("/v1/session", credentials(owner.user))
            #expect(asked.status == 202 && asked.text == #"{"code_mailed":true,"seconds":600}"#)
            #expect(asked.headers[values: .setCookie].count == 1)
            let asker = Asker(api: api, secret: try #require(asked.cookie("code")))
            let code = try #require(try await room.deliver().first?["code"])
            try await asker.reset(code).expectProblem(410, "code_over")
            let entered = try await asker.signIn(code)
            #expect(entered.status == 201, "\(entered.text)")
            #expect(entered.headers[values: .setCookie].count == 4 && entered.cookie("token") != nil)
            let device = try #require(entered.cookie("device"))
            #expect(
                entered.headers[values: .setCookie].contains {
                    $0.hasPrefix("__Host-sluice-device=")
                        && $0.hasSuffix("; Path=/; Max-Age=7776000; Secure; HttpOnly; SameSite=Strict")
                })
            try await asker.signIn(code).expectProblem(410, "code_over")

            func again(_ device: String) async throws -> Int {
                try await api.call(
                    .post, "/v1/session", body: credentials(owner.user),
                    headers: ["Cookie": "__Host-sluice-device=\(device)"]
                ).status
            }
            #expect(try await again(device) == 201)
            #expect(try await again(String(device.reversed())) == 202)
            let kept = try await room.fixture.records.owner.query("SELECT d::text FROM user_devices d").map {
                try $0.decode(String.self)
            }
            #expect(kept.count == 1 && !kept[0].contains(device))
            try await room.fixture.records.owner.query(
                "UPDATE user_devices SET created_at = now() - interval '90 days'")
            #expect(try await again(device) == 202)
        }
    }

    /// The user's session adds a second factor.
    private func enrol(_ browser: Browser) async throws {
        let made = try await browser.call(.post, "/v1/me/second-factor", #"{"password": "\#(Browser.password)"}"#)
        let app = TOTP(secret: SecondFactorRouteTests.octets(try #require(made.json["secret"].string)))
        let code = app.code(at: TOTP.step(at: secondsSince1970()))
        let confirmed = try await browser.call(.post, "/v1/me/second-factor/confirm", #"{"code": "\#(code)"}"#)
        #expect(confirmed.status == 200, "\(confirmed.text)")
    }

    @Test func `a code by mail does not get round a second factor, and is not mailed to who has one`() async throws {
        try await withCodes { room, owner, api in
            let asked = try await api.post("/v1/session", credentials(owner.user))
            let asker = Asker(api: api, secret: try #require(asked.cookie("code")))
            let code = try #require(try await room.deliver().first?["code"])
            try await enrol(owner)
            try await asker.signIn(code).expectProblem(410, "code_over")
            let later = try await api.post("/v1/session", credentials(owner.user))
            #expect(later.status == 202 && later.cookie("step") != nil && later.cookie("code") == nil)
            #expect(try await room.deliver().isEmpty)
        }
    }

    @Test func `a device is known to its user alone, and until the password changes`() async throws {
        try await withCodes { room, owner, api in
            let asked = try await api.post("/v1/session", credentials(owner.user))
            let asker = Asker(api: api, secret: try #require(asked.cookie("code")))
            let code = try #require(try await room.deliver().first?["code"])
            let device = try #require(try await asker.signIn(code).cookie("device"))
            let account = owner.user.kind.account
            let other = try await room.fixture.user(.member(account, .member))
            let headers = ["Cookie": "__Host-sluice-device=\(device)"]
            let theirs = try await api.call(.post, "/v1/session", body: credentials(other), headers: headers)
            #expect(theirs.status == 202)
            try await room.fixture.users.setPassword(Self.password, of: owner.user.id, in: account)
            let later = try await api.call(
                .post, "/v1/session", body: credentials(owner.user, Self.password), headers: headers)
            #expect(later.status == 202)
        }
    }

    @Test func `without the password no code is mailed, and with it only so many`() async throws {
        try await withCodes { room, owner, api in
            try await api.post("/v1/session", credentials(owner.user, Self.password))
                .expectProblem(401, "sign_in_refused")
            #expect(try await room.deliver().isEmpty)
            for _ in 0..<4 { #expect(try await api.post("/v1/session", credentials(owner.user)).status == 202) }
            try await api.post("/v1/session", credentials(owner.user)).expectProblem(429, "too_many_sign_ins")
            #expect(try await room.deliver().count == 4)
        }
    }
}
