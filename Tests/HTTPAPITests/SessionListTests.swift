import HTTPAPI
import HTTPTypes
import Identity
import MailTypes
import Postgres
import TestDatabases
import Testing

/// `/v1/sessions`, `/v1/members/{id}/sessions` and `/v1/me/sessions`.
@Suite struct SessionListTests {
    private let document = DocumentScanner(OpenAPIDocument.text)

    private static func sessions(_ answer: Answer) -> [String] {
        answer.json["data"].elements.compactMap { $0["id"].string }
    }

    /// Whether the session is good for anything, by either of its cookies.
    private static func goesOn(_ browser: Browser) async throws -> Bool {
        let statuses = [
            try await browser.get("/v1/session").status,
            try await browser.call(
                .get, "/v1/session", with: ["Cookie": "__Host-sluice-refresh=\(browser.refresh)"]
            ).status,
        ]
        #expect(Set(statuses).count == 1 && [200, 401].contains(statuses[0]), "\(statuses)")
        return statuses[0] == 200
    }

    private static func go(_ browsers: Browser...) async throws -> [Bool] {
        var go: [Bool] = []
        for browser in browsers { go.append(try await goesOn(browser)) }
        return go
    }

    // MARK: One's own

    @Test func `people see and end their own sessions, and no others`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let ada = try await fixture.user(.member(customer.account, .viewer))
            let (one, two) = (try await fixture.signIn(ada, owner.api), try await fixture.signIn(ada, owner.api))
            let list = try await one.get("/v1/me/sessions")
            #expect(Set(Self.sessions(list)) == [one.session, two.session] && list.json["next"] == .null)
            for row in list.json["data"].elements {
                #expect(row.names == document.members(of: "SessionRecord"))
                #expect(row["user"].string == "\(ada.id)")
                #expect((row["current"] == true) == (row["id"].string == one.session))
            }
            for secret in [one.token, one.refresh, two.token, two.refresh, one.proof] {
                #expect(!list.text.contains(secret.suffix(32)))
            }
            for id in [owner.session, "ses_9000000000000000000", "ses_0", "7", "%FF"] {
                try await one.call(.delete, "/v1/me/sessions/\(id)").expectProblem(
                    404, id == "%FF" ? "not_found" : "session_not_found")
            }
            #expect(try await Self.goesOn(owner))
            let ended = try await one.call(.delete, "/v1/me/sessions/\(two.session)")
            #expect(ended.status == 204 && ended.headers[values: .setCookie].isEmpty)
            #expect(try await Self.go(one, two) == [true, false])
            try await one.call(.delete, "/v1/me/sessions/\(two.session)").expectProblem(404, "session_not_found")
            let own = try await one.call(.delete, "/v1/me/sessions/\(one.session)")
            #expect(own.status == 204 && own.headers[values: .setCookie].count == 2)
            #expect(try await !Self.goesOn(one))
        }
    }

    @Test func `people sign out everywhere, operators too`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            for kind in [UserKind.member(customer.account, .viewer), .installationOperator] {
                let user = try await fixture.user(kind)
                let (one, two) = (try await fixture.signIn(user, owner.api), try await fixture.signIn(user, owner.api))
                #expect(Set(Self.sessions(try await one.get("/v1/me/sessions"))) == [one.session, two.session])
                let ended = try await one.call(.delete, "/v1/me/sessions")
                #expect(ended.status == 204 && ended.headers[values: .setCookie].count == 2)
                #expect(try await Self.go(one, two, owner) == [false, false, true])
                #expect(try await Self.goesOn(fixture.signIn(user, owner.api)))
            }
        }
    }

    @Test func `a session tells the kind of its browser and the network that it began in`() async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        let owner = try await fixture.user(.member(customer.account, .owner))
        let proxies = [try #require(IPNetwork("127.0.0.0/8")), try #require(IPNetwork("::1"))]
        try await fixture.withAPI(behind: APIExposure(proxies: proxies, publicURL: Browser.origin)) { api in
            let signedIn = try await api.call(
                .post, "/v1/session",
                body: #"{"email": "\#(owner.address.text)", "password": "\#(Browser.password)"}"#,
                headers: [
                    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) canary Firefox/140.0",
                    "X-Forwarded-For": "203.0.113.77", "Origin": Browser.origin,
                ])
            #expect(signedIn.status == 201, "\(signedIn.text)")
            let cookie = "__Host-sluice-token=\(signedIn.cookie("token") ?? "")"
            for path in ["/v1/me/sessions", "/v1/sessions"] {
                let list = try await api.call(.get, path, headers: ["Cookie": cookie])
                let row = list.json["data"][0]
                #expect(row["client"] == "Firefox on Linux" && row["network"] == "203.0.113.0/24", "\(list.text)")
                #expect(!list.text.contains("canary") && !list.text.contains("113.77"))
            }
        }
    }

    // MARK: The account's

    @Test func `admins list the account's sessions, by page and by user`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let admin = try await fixture.signIn(
                try await fixture.user(.member(customer.account, .admin)), owner.api)
            let viewer = try await fixture.user(.member(customer.account, .viewer))
            var all = [owner.session, admin.session]
            for _ in 0..<3 { all.append(try await fixture.signIn(viewer, owner.api).session) }
            let whole = try await admin.get("/v1/sessions")
            #expect(Self.sessions(whole) == all.reversed() && whole.json["next"] == .null)
            #expect(whole.json["data"][0].names == document.members(of: "SessionRecord"))
            #expect(
                whole.json["data"].elements.compactMap { $0["current"] == true ? $0["id"].string : nil } == [
                    admin.session
                ])
            var (paged, next) = ([String](), "")
            repeat {
                let page = try await admin.get("/v1/sessions?limit=2" + (next.isEmpty ? "" : "&after=\(next)"))
                paged += Self.sessions(page)
                next = page.json["next"].string ?? ""
            } while !next.isEmpty
            #expect(paged == all.reversed())
            #expect(
                Self.sessions(try await admin.get("/v1/sessions?user=\(viewer.id)")) == all.suffix(3).reversed())
            #expect(Self.sessions(try await admin.get("/v1/sessions?user=usr_9000000000000000000")).isEmpty)
            for (query, status, code) in [
                ("limit=0", 422, "invalid_field"), ("limit=1001", 422, "invalid_field"),
                ("after=7", 400, "invalid_cursor"), ("user=ada", 422, "invalid_field"),
            ] { try await admin.get("/v1/sessions?\(query)").expectProblem(status, code) }
            // What is over is not listed, whatever has ended it.
            _ = try await fixture.services.sessions.endAll(of: viewer.id, in: customer.account)
            #expect(Self.sessions(try await admin.get("/v1/sessions")) == [admin.session, owner.session])
        }
    }

    /// Who asks, about whom, and whether they may.
    @Test(
        arguments: [
            (.admin, .viewer, true), (.admin, .admin, true), (.admin, .owner, false), (.owner, .owner, true),
            (.owner, .admin, true),
        ] as [(Role, Role, Bool)]) func `nobody ends a session of somebody who is above`(
            _ actor: Role, _ subject: Role, _ isAllowed: Bool
        ) async throws
    {
        try await APIFixture.withOwner { fixture, customer, owner in
            let asking = try await fixture.signIn(try await fixture.user(.member(customer.account, actor)), owner.api)
            let user = try await fixture.user(.member(customer.account, subject))
            let (one, two) = (try await fixture.signIn(user, owner.api), try await fixture.signIn(user, owner.api))
            for (path, ended, left) in [
                ("/v1/sessions/\(one.session)", [one], [two, asking, owner]),
                ("/v1/members/\(user.id)/sessions", [one, two], [asking, owner]),
            ] {
                let answer = try await asking.call(.delete, path)
                guard isAllowed else {
                    answer.expectProblem(403, "above_own_role")
                    #expect(try await Self.go(one, two) == [true, true])
                    continue
                }
                #expect(answer.status == 204 && answer.headers[values: .setCookie].isEmpty, "\(answer.text)")
                for browser in ended { #expect(try await !Self.goesOn(browser)) }
                for browser in left { #expect(try await Self.goesOn(browser)) }
            }
            if isAllowed {
                try await asking.call(.delete, "/v1/sessions/\(one.session)").expectProblem(404, "session_not_found")
                #expect(try await Self.goesOn(fixture.signIn(user, owner.api)))
            }
        }
    }

    @Test func `all sessions of an account end together, and of no other`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let stranger = try await fixture.customer()
            let other = try await fixture.signIn(
                try await fixture.user(.member(stranger.account, .owner)), owner.api)
            let admin = try await fixture.signIn(
                try await fixture.user(.member(customer.account, .admin)), owner.api)
            for path in ["/v1/sessions/\(owner.session)", "/v1/members/\(owner.user.id)/sessions"] {
                #expect(try await other.call(.delete, path).status == 404)
            }
            #expect(Self.sessions(try await other.get("/v1/sessions")) == [other.session])
            #expect(try await Self.goesOn(owner))
            let ended = try await admin.call(.delete, "/v1/sessions")
            #expect(ended.status == 204 && ended.headers[values: .setCookie].count == 2)
            #expect(try await Self.go(admin, owner, other) == [false, false, true])
            #expect(try await API(client: owner.api.client, key: customer.key).get("/v1/credits").status == 200)
            #expect(try await Self.goesOn(fixture.signIn(owner.user, owner.api)))
        }
    }
}
