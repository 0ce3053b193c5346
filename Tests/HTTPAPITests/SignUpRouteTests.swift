import CreditLedger
import Fleet
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

/// `/v1/signup`: strangers open accounts by a code that they are mailed.
@Suite struct SignUpRouteTests {
    private static let password = "rope lantern 42 goose"

    private static func body(_ address: String, account: String = "Acme", password: String = Self.password) -> String {
        #"{"email": "\#(address)", "password": "\#(password)", "account": "\#(account)"}"#
    }

    /// A browser that has asked for an account.
    private struct Stranger {
        let api: API
        let secret: String

        func post(_ path: String, _ body: String) async throws -> Answer {
            try await api.call(.post, path, body: body, headers: ["Cookie": "__Host-sluice-code=\(secret)"])
        }

        func confirm(_ code: String) async throws -> Answer {
            try await post("/v1/signup/code", #"{"code": "\#(code)"}"#)
        }
    }

    private func ask(_ api: API, _ address: String, account: String = "Acme") async throws -> Stranger {
        let answer = try await api.post("/v1/signup", Self.body(address, account: account))
        #expect(answer.status == 202 && answer.text == #"{"code_mailed":true,"seconds":600}"#, "\(answer.text)")
        let fields = answer.headers[values: .setCookie]
        #expect(fields.count == 1)
        #expect(fields.first?.hasPrefix("__Host-sluice-code=") == true)
        #expect(fields.first?.hasSuffix("; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Strict") == true)
        return Stranger(api: api, secret: try #require(answer.cookie("code")))
    }

    private func code(_ mail: Mailroom.Mail?) throws -> String { try #require(mail?["code"]).filter { $0 != " " } }

    /// Another code than this one.
    private func wrong(_ code: String) -> String { code == "000000" ? "000001" : "000000" }

    /// Whatever an account consists of, the names of accounts last.
    private func made(_ room: Mailroom) async throws -> [String] {
        let counts = try await room.fixture.records.owner.query(
            """
            SELECT concat_ws(' ', (SELECT count(*) FROM accounts), (SELECT count(*) FROM account_names),
                (SELECT count(*) FROM users), (SELECT count(*) FROM user_addresses), (SELECT count(*) FROM sessions))
            """
        ).only.decode(String.self)
        let keys = try await room.fixture.vaultDatabase.owner.query("SELECT count(*) FROM account_keys").only.decode(
            Int.self)
        let names = try await room.fixture.records.owner.query("SELECT name FROM accounts ORDER BY account_id").map {
            try $0.decode(String.self)
        }
        return ["\(counts) \(keys)"] + names
    }

    private func rows(_ room: Mailroom) async throws -> [String] {
        try await room.fixture.records.owner.query("SELECT s::text FROM sign_ups s").map { try $0.decode(String.self) }
    }

    /// The API with what is different about sign-ups.
    private func withSignUp(
        _ room: Mailroom, _ signUp: SignUp?, _ body: @Sendable (API) async throws -> Void
    ) async throws {
        var services = room.fixture.services
        services.signUp = signUp
        let router = APIServer.router(services, exposure: APIExposure(publicURL: Browser.origin))
        try await Application(router: router, logger: .silent).test(.router) { try await body(API(client: $0)) }
    }

    // MARK: An account

    @Test func `a code by mail opens an account without credits, once, and nothing is made before it`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            let before = try await made(room)
            let stranger = try await ask(owner.api, "Ada@Example.ORG")
            let mails = try await room.deliver()
            #expect(mails.map(\.address) == ["ada@example.org"])
            let shown = try #require(mails.first?["code"])
            #expect(shown.wholeMatch(of: /[0-9]{3} [0-9]{3}/) != nil)
            let code = try code(mails.first)
            let row = try #require(try await rows(room).first)
            for word in [stranger.secret, code, Self.password] { #expect(!row.contains(word)) }
            #expect(try await made(room).first?.prefix { $0 != " " } == before.first?.prefix { $0 != " " })
            try await stranger.confirm(wrong(code)).expectProblem(403, "code_refused")
            #expect(try await made(room) == before)

            // As people copy it out of the mail.
            let opened = try await stranger.confirm(" \(shown) ")
            #expect(opened.status == 201, "\(opened.text)")
            #expect(opened.json["role"] == "owner" && opened.json["email"] == "ada@example.org")
            #expect(opened.headers[values: .setCookie].count == 4 && opened.cookie("code") == "")
            let names = try await made(room).dropFirst()
            #expect(names.count == before.count && names.last?.wholeMatch(of: /Acme \([0-9A-Za-z]{6}\)/) != nil)
            #expect(try await rows(room) == [])
            let cookies = ["Cookie": "__Host-sluice-token=\(try #require(opened.cookie("token")))"]
            let credits = try await owner.api.call(.get, "/v1/credits", headers: cookies)
            #expect(credits.status == 200 && credits.json["available"] == 0, "\(credits.text)")
            let account = try #require(opened.json["account"].string.flatMap { AccountID($0) })
            let balance = try await room.fixture.balance(account)
            #expect(balance.posted == 0 && balance.limit == 0)
            // The account has its key: what is sealed with it can be written.
            let added = try await owner.api.call(
                .post, "/v1/suppressions", body: #"{"addresses": ["x@example.org"]}"#,
                headers: [
                    "Cookie": cookies["Cookie"] ?? "", "Origin": Browser.origin,
                    "X-CSRF-Token": opened.json["csrf_token"].string ?? "",
                ])
            #expect(added.status == 200, "\(added.text)")
            try await stranger.confirm(code).expectProblem(410, "code_over")
        }
    }

    @Test func `whoever has opened an account signs in with that browser by the password they chose`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            let stranger = try await ask(owner.api, "ada@example.org")
            let opened = try await stranger.confirm(try code(try await room.deliver().first))
            let device = try #require(opened.cookie("device"))
            var services = room.fixture.services
            services.signIn = room.fixture.signIn(asksForCodes: true)
            let router = APIServer.router(services, exposure: APIExposure(publicURL: Browser.origin))
            try await Application(router: router, logger: .silent).test(.router) { client in
                for (cookie, status) in [("__Host-sluice-device=\(device)", 201), ("theme=dark", 202)] {
                    let answer = try await API(client: client).call(
                        .post, "/v1/session", body: #"{"email": "ada@example.org", "password": "\#(Self.password)"}"#,
                        headers: ["Cookie": cookie])
                    #expect(answer.status == status, "\(answer.text)")
                }
            }
        }
    }

    @Test func `an address that signs in already is answered alike, and its mail says so and has no code`() async throws
    {
        try await APIFixture.withMailroom { room, _, owner in
            let root = try await room.fixture.user(.installationOperator)
            let fresh = try await ask(owner.api, "ada@example.org")
            let before = try await made(room)
            var known: [Stranger] = []
            for user in [owner.user, root] {
                let stranger = try await ask(owner.api, user.address.text.uppercased())
                #expect(stranger.secret.count == fresh.secret.count)
                known.append(stranger)
            }
            let mails = try await room.deliver()
            #expect(Set(mails.map(\.address)) == ["ada@example.org", owner.user.address.text, root.address.text])
            for mail in mails where mail.address != "ada@example.org" {
                #expect(mail["code"] == nil && mail["link"] == "\(Browser.origin)/sign-in")
                #expect(mail["password_link"] == "\(Browser.origin)/password")
            }
            let code = try code(mails.first { $0.address == "ada@example.org" })
            for stranger in known + [fresh] {
                for _ in 0..<5 { try await stranger.confirm(wrong(code)).expectProblem(403, "code_refused") }
                try await stranger.confirm(code).expectProblem(410, "code_over")
            }
            #expect(try await made(room).dropFirst() == before.dropFirst())
            #expect(try await room.deliver().isEmpty)
        }
    }

    @Test func `two strangers and a customer may call themselves alike`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            let taken = try #require(try await made(room).dropFirst().first)
            var names: Set<String> = [taken]
            for address in ["ada@example.org", "bo@example.org"] {
                let stranger = try await ask(owner.api, address, account: taken)
                #expect(try await stranger.confirm(try code(try await room.deliver().first)).status == 201)
                names.insert(try #require(try await made(room).last))
            }
            #expect(names.count == 3 && names.allSatisfy { $0.hasPrefix(taken) })
        }
    }

    @Test func `a stranger's account has tight limits, and invites nobody until an operator says how many`()
        async throws
    {
        try await APIFixture.withMailroom { room, _, owner in
            let stranger = try await ask(owner.api, "ada@example.org")
            let opened = try await stranger.confirm(try code(try await room.deliver().first))
            let account = try #require(opened.json["account"].string.flatMap { AccountID($0) })
            let fields = [
                "Cookie": "__Host-sluice-token=\(try #require(opened.cookie("token")))", "Origin": Browser.origin,
                "X-CSRF-Token": opened.json["csrf_token"].string ?? "",
            ]
            let pool = room.fixture.records.pool
            #expect(try await FleetStore.limits(on: pool) == [account: AccountLimit.ofStrangers])
            for limit in AccountLimit.allCases {
                let value = try #require(AccountLimit.ofStrangers[limit])
                #expect(limit.range.contains(value) && value < limit.standard, "\(limit)")
            }
            func invite(_ name: String) async throws -> Answer {
                try await owner.api.call(
                    .post, "/v1/invitations", body: #"{"email": "\#(name)@example.org", "role": "viewer"}"#,
                    headers: fields)
            }
            // Nothing has told this node of the limits: the database has.
            try await invite("bo").expectProblem(429, "too_many_invitations_today")
            #expect(try await room.fixture.count("invitations", account) == 0)
            try await pool.withTransaction {
                try await FleetStore.set([.invitations: 1], reset: [], for: account, on: $0)
            }
            #expect(try await invite("bo").status == 201)
            try await invite("cy").expectProblem(429, "too_many_invitations_today")
            try await pool.withTransaction {
                try await FleetStore.set([:], reset: [.invitations], for: account, on: $0)
            }
            #expect(try await invite("cy").status == 201)
        }
    }

    @Test(arguments: ["Acme Inc. of 1984", "B\u{FC}ro 24", "株式会社\u{3000}山田", "O'Neil & Sons", "№ 123456", "Acme."])
    func `ordinary names of accounts are taken`(_ name: String) {
        #expect(UnlinkedText.isAccountName(name))
    }

    @Test(arguments: [
        "evil\u{3002}example", "evil\u{FF0E}example", "evil\u{FF0E} example", "evil\u{FF61}example",
        "evil\u{2024}example",
        "evil\u{FE52}example", "evil.example", "pay\u{FF20}evil", "https\u{FF1A}evil", "evil\u{FF0F}a", "evil\\a",
        "a\u{3164}b",
        "a\u{200D}b", "\u{200D}", "\u{3000}", " ", "", "Call 555 0123", "+1-555-012-3",
        "\u{FF15}\u{FF15}\u{FF15}\u{FF10}\u{FF11}\u{FF12}\u{FF13}", "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}",
    ]) func `names that could be a link or a number to call, or that nobody sees, are refused`(_ name: String) {
        #expect(!UnlinkedText.isAccountName(name))
    }

    @Test(arguments: ["ada.o'neil+news_1-2@example.org", "ünal@example.org", "山田@example.org", "wwwilma@example.org"])
    func `ordinary addresses are taken`(_ address: String) throws {
        #expect(UnlinkedText.isAddress(try EmailAddress(address)))
    }

    @Test(arguments: [
        "www.evil.example@evil.example", "WWW.evil@evil.example", "\u{FF57}ww.evil@evil.example",
        "pay/now@evil.example",
        "pay?id=1@evil.example", #""call us: now"@evil.example"#, "a&b@evil.example", "a=b@evil.example",
    ]) func `addresses that could be another link are refused`(_ address: String) throws {
        #expect(!UnlinkedText.isAddress(try EmailAddress(address)))
    }

    // MARK: Codes

    @Test func `of guesses at the same time five count, and then the right code is over too`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            let stranger = try await ask(owner.api, "ada@example.org")
            let code = try code(try await room.deliver().first)
            let wrong = wrong(code)
            let answers = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<20 { group.addTask { try await stranger.confirm(wrong).code } }
                return try await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(
                answers.count { $0 == "code_refused" } == 5 && answers.count { $0 == "code_over" } == 15, "\(answers)")
            try await stranger.confirm(code).expectProblem(410, "code_over")
        }
    }

    @Test func `of many who use one code at once one opens an account`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            let before = try await made(room).count
            let stranger = try await ask(owner.api, "ada@example.org")
            let code = try code(try await room.deliver().first)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<5 { group.addTask { try await stranger.confirm(code).status } }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 201 } == 1 && statuses.count { $0 == 410 } == 4, "\(statuses)")
            #expect(try await made(room).count == before + 1)
        }
    }

    @Test func `of two who ask with one address the first has it, and the other makes nothing`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            let strangers = [try await ask(owner.api, "ada@example.org"), try await ask(owner.api, "ada@example.org")]
            let codes = try await room.deliver().compactMap { try? code($0) }
            #expect(codes.count == 2)
            var opened = 0
            for stranger in strangers {
                for code in Set(codes) {
                    let answer = try await stranger.confirm(code)
                    if answer.status == 201 {
                        opened += 1
                        break
                    }
                    #expect(["code_refused", "user_address_taken"].contains(answer.code), "\(answer.text)")
                }
                if opened == 1 { #expect(try await made(room).last?.hasPrefix("Acme (") == true) }
            }
            #expect(opened == 1)
            #expect(try await made(room).count { $0.hasPrefix("Acme (") } == 1)
        }
    }

    @Test func `a code is good in the browser that has asked, for what it has asked for`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            let stranger = try await ask(owner.api, "ada@example.org")
            let mailed = try code(try await room.deliver().first)
            for secret in ["", "x", String(stranger.secret.reversed()), stranger.secret + "x"] {
                try await Stranger(api: owner.api, secret: secret).confirm(mailed).expectProblem(410, "code_over")
            }
            try await owner.api.post("/v1/signup/code", #"{"code": "\#(mailed)"}"#).expectProblem(410, "code_over")
            try await stranger.post("/v1/session/code", #"{"code": "\#(mailed)"}"#).expectProblem(410, "code_over")
            try await stranger.post("/v1/password", #"{"code": "\#(mailed)", "password": "\#(Self.password)"}"#)
                .expectProblem(410, "code_over")
            let asked = try await owner.api.post("/v1/password/code", #"{"email": "\#(owner.user.address.text)"}"#)
            let other = Stranger(api: owner.api, secret: try #require(asked.cookie("code")))
            try await other.confirm(try code(try await room.deliver().first)).expectProblem(410, "code_over")
            #expect(try await stranger.confirm(mailed).status == 201)
        }
    }

    @Test func `who comes too late is forgotten, with their password, within a minute`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            let late = try await ask(owner.api, "ada@example.org")
            let code = try code(try await room.deliver().first)
            try await room.fixture.records.owner.query("UPDATE sign_ups SET expires_at = now()")
            try await late.confirm(code).expectProblem(410, "code_over")
            _ = try await ask(owner.api, "bo@example.org")
            try await room.fixture.records.owner.query(
                """
                INSERT INTO sign_up_attempts (subject, started_at)
                VALUES (sha256('old'), now() - interval '25 hours')
                """)
            #expect(try await SignUp.sweep(on: room.fixture.records.pool) == 2)
            let left = try await rows(room)
            #expect(left.count == 1 && left[0].contains("bo@example.org"))
        }
    }

    // MARK: Bounds

    @Test func `an address has five a day, and a network twenty, and each learns how long to wait`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            for _ in 0..<5 { _ = try await ask(owner.api, "ada@example.org") }
            let refused = try await owner.api.post("/v1/signup", Self.body("ada@example.org"))
            refused.expectProblem(429, "too_many_sign_ups")
            #expect(refused.headers[.retryAfter].flatMap { Int($0) }.map { $0 > 86_000 && $0 <= 86_400 } == true)
            for number in 0..<15 { _ = try await ask(owner.api, "user\(number)@example.org") }
            try await owner.api.post("/v1/signup", Self.body("bo@example.org")).expectProblem(
                429, "too_many_sign_ups")
            let counted = try await room.fixture.records.owner.query("SELECT s::text FROM sign_up_attempts s").map {
                try $0.decode(String.self)
            }
            #expect(!counted.isEmpty && counted.allSatisfy { !$0.contains("example.org") })
            try await room.fixture.records.owner.query(
                "UPDATE sign_up_attempts SET started_at = started_at - interval '24 hours'")
            _ = try await ask(owner.api, "ada@example.org")
        }
    }

    @Test func `variants of an address and the networks of a site count as one, and refusals leave no row`()
        async throws
    {
        try await APIFixture.withMailroom { room, _, _ in
            let signUp = room.fixture.signUp()
            func ask(_ address: String, from network: [UInt8]) async throws {
                _ = try await signUp.request(
                    address: address, password: Self.password, accountName: "Acme", network: network)
            }
            func counted() async throws -> Int {
                try await room.fixture.records.owner.query("SELECT count(*) FROM sign_up_attempts").only.decode(
                    Int.self)
            }
            func isRefused(_ address: String, from network: [UInt8]) async throws -> Bool {
                do {
                    try await ask(address, from: network)
                    return false
                } catch SignUpError.tooMany {
                    return true
                }
            }
            for name in ["ada", "ada+1", "ada+2", "Ada+3+4", "ada+"] {
                try await ask("\(name)@example.org", from: [192, 0, 2, 1])
            }
            var rows = try await counted()
            #expect(rows == 3)
            // From wherever: the network is new, and is not kept.
            #expect(try await isRefused("ada+5@example.org", from: [192, 0, 2, 2]))
            #expect(try await counted() == rows)
            // Nothing is left of these.
            for name in ["+1", "+2"] { try await ask("\(name)@example.org", from: [192, 0, 2, 1]) }
            #expect(try await counted() == rows + 2)

            for number in 0..<20 {
                try await ask("user\(number)@example.org", from: [0x20, 1, 0xD, 0xB8, 0, 1, 0, UInt8(number)])
            }
            rows = try await counted()
            #expect(try await isRefused("bo@example.org", from: [0x20, 1, 0xD, 0xB8, 0, 1, 0xFF, 0xFF]))
            #expect(try await counted() == rows)
            try await ask("bo@example.org", from: [0x20, 1, 0xD, 0xB8, 0, 2, 0, 0])
            // Each of IPv4 is one.
            #expect(try await !isRefused("cy@example.org", from: [192, 0, 2, 2]))
        }
    }

    @Test func `all together have so many a day as the operator says, also at the same time`() async throws {
        try await APIFixture.withMailroom { room, _, _ in
            try await withSignUp(room, room.fixture.signUp(perDay: 3)) { api in
                let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
                    for number in 0..<8 {
                        group.addTask { try await api.post("/v1/signup", Self.body("user\(number)@example.org")) }
                    }
                    return try await group.reduce(into: [Answer]()) { $0.append($1) }
                }
                #expect(answers.count { $0.status == 202 } == 3)
                for answer in answers where answer.status != 202 { answer.expectProblem(429, "too_many_sign_ups") }
                let rows = try await room.fixture.records.owner.query("SELECT count(*) FROM sign_up_attempts").only
                    .decode(Int.self)
                // Whoever comes when the day is used up leaves no row.
                try await api.post("/v1/signup", Self.body("late@example.org")).expectProblem(429, "too_many_sign_ups")
                let after = try await room.fixture.records.owner.query("SELECT count(*) FROM sign_up_attempts").only
                    .decode(Int.self)
                #expect(rows == after)
            }
            #expect(try await room.deliver().count == 3)
        }
    }

    @Test func `where too many passwords wait, or what is asked is wrong, nothing is kept or counted`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            try await withSignUp(room, room.fixture.signUp(places: 0)) { api in
                try await api.post("/v1/signup", Self.body("ada@example.org")).expectProblem(503, "sign_in_busy")
            }
            try await owner.api.post("/v1/signup", Self.body("a@example.org", password: "short"))
                .expectProblem(422, "password_too_short")
            #expect(try await rows(room) == [])
            let counted = try await room.fixture.records.owner.query("SELECT count(*) FROM sign_up_attempts").only
            #expect(try counted.decode(Int.self) == 0)
        }
    }

    @Test func `where the operator makes the accounts nobody signs up`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            let stranger = try await ask(owner.api, "ada@example.org")
            let code = try code(try await room.deliver().first)
            try await withSignUp(room, nil) { api in
                try await api.post("/v1/signup", Self.body("bo@example.org")).expectProblem(409, "sign_up_closed")
                try await Stranger(api: api, secret: stranger.secret).confirm(code)
                    .expectProblem(409, "sign_up_closed")
                let page = try await api.get("/sign-up")
                #expect(page.status == 404 && !page.text.contains("<form"))
                #expect(try await !api.get("/sign-in").text.contains("/sign-up"))
            }
            #expect(try await rows(room).count == 1)
        }
    }

    // MARK: Bad input

    @Test(arguments: [
        (body("no address"), 422, "invalid_user_address"), (body("a@[192.0.2.1]"), 422, "invalid_user_address"),
        (body("a\\u0000@example.org"), 422, "invalid_user_address"),
        (body("a@example.org", password: "short"), 422, "password_too_short"),
        (body("a@example.org", password: "password1234"), 422, "password_too_common"),
        (body("a@example.org", password: String(repeating: "é", count: 37)), 422, "password_too_long"),
        (body("a@example.org", account: ""), 422, "invalid_account_name"),
        (body("a@example.org", account: " \\u00a0"), 422, "invalid_account_name"),
        (body("a@example.org", account: String(repeating: "a", count: 81)), 422, "invalid_account_name"),
        (body("a@example.org", account: "a\\u202eb"), 422, "invalid_account_name"),
        (body("a@example.org", account: "a\\u2028b"), 422, "invalid_account_name"),
        (body("a@example.org", account: "win at evil.example"), 422, "invalid_account_name"),
        (body("a@example.org", account: "https://evil"), 422, "invalid_account_name"),
        (body("a@example.org", account: "<b>"), 422, "invalid_account_name"),
        (body("a@example.org", account: "evil\\uff0eexample"), 422, "invalid_account_name"),
        (body("www.evil.example@evil.example"), 422, "invalid_user_address"),
        ("", 400, "invalid_json"), ("{}", 422, "missing_field"),
        (body("a@example.org").replacing("{", with: #"{"role": "owner", "#), 422, "unknown_field"),
    ]) func `bad input is refused, and pages of others ask for nothing`(
        _ body: String, _ status: Int, _ code: String
    ) async throws {
        try await APIFixture.shared().withPages { api in
            try await api.post("/v1/signup", body).expectProblem(status, code)
            for headers in [["Origin": "https://attacker.example"], ["Sec-Fetch-Site": "cross-site"]] {
                for path in ["/v1/signup", "/v1/signup/code"] {
                    try await api.call(.post, path, body: body, headers: headers).expectProblem(403, "origin_refused")
                }
            }
        }
    }

    @Test(arguments: ["Acme", "Acme Inc.", "A. B. & Sons, Ltd.", "日本", "Straße 9 + 3"])
    func `names of people and firms are taken`(_ name: String) async throws {
        try await APIFixture.withMailroom { _, _, owner in
            _ = try await ask(owner.api, "ada@example.org", account: name)
        }
    }
}
