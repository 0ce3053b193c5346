import Campaigns
import CreditLedger
import Crypto
import Fleet
import HTTPAPI
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

/// `/v1/invitations` and `POST /v1/membership`, with the mails between them.
@Suite struct InvitationRouteTests {
    private static let password = "rope lantern 42 goose"

    private static func invitation(_ email: String, _ role: String = "member") -> String {
        #"{"email": "\#(email)", "role": "\#(role)"}"#
    }

    private static func joining(_ secret: String, _ password: String = password) -> String {
        #"{"secret": "\#(secret)", "name": "Bo Ek", "password": "\#(password)"}"#
    }

    private func invite(_ browser: Browser, _ email: String, _ role: String = "member") async throws -> Answer {
        try await browser.call(.post, "/v1/invitations", Self.invitation(email, role))
    }

    @Test func `who is invited by mail joins with the link, once`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let made = try await invite(owner, "Bo@Example.org", "admin")
            #expect(made.status == 201, "\(made.text)")
            #expect(made.json["email"] == "bo@example.org" && made.json["role"] == "admin")
            #expect(made.json["inviter"].string == "\(owner.user.id)" && made.json["mailed_at"] == .null)
            #expect(try await owner.get("/v1/invitations").json["data"][0] == made.json)

            let mails = try await room.deliver()
            let mail = try #require(mails.first)
            #expect(mails.count == 1 && mail.address == "bo@example.org")
            #expect(mail["inviter"] == owner.user.address.text && mail["account"]?.hasPrefix("customer ") == true)
            #expect(mail["link"] == "https://mail.example.com/join#\(mail.secret)" && mail.secret.count == 43)
            let listed = try await owner.get("/v1/invitations")
            #expect(listed.json["data"][0]["mailed_at"].string != nil && !listed.text.contains(mail.secret))
            let (row, hash) = try await room.fixture.records.owner.query(
                "SELECT i::text, i.secret_hash FROM invitations i"
            ).only.decode(String.self, [UInt8].self)
            #expect(!row.contains(mail.secret) && hash == Array(SHA256.hash(data: Array(mail.secret.utf8))))

            let joined = try await owner.api.post("/v1/membership", Self.joining(mail.secret))
            #expect(joined.status == 201, "\(joined.text)")
            #expect(joined.json["role"] == "admin" && joined.json["account"].string == "\(customer.account)")
            #expect(joined.headers[values: .setCookie].count == 2)
            let members = try await owner.get("/v1/members").json["data"]
            #expect(members[1]["email"] == "bo@example.org" && members[1]["name"] == "Bo Ek")
            #expect(members[0]["name"] == .null && members[0]["role"] == "owner")
            let again = try await owner.api.post(
                "/v1/session", #"{"email": "bo@example.org", "password": "\#(Self.password)"}"#)
            #expect(again.status == 201)

            try await owner.api.post("/v1/membership", Self.joining(mail.secret)).expectProblem(410, "invitation_over")
            #expect(try await owner.get("/v1/invitations").json["data"] == .list([]))
            #expect(try await room.deliver().isEmpty)
        }
    }

    @Test func `an inviter whose address could become a link is not named in the mail`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let inviter = try await room.fixture.users.create(
                .member(customer.account, .admin), address: "www.evil.example/pay?id=1@evil.example",
                password: Browser.password)
            let browser = try await room.fixture.signIn(inviter, owner.api)
            #expect(try await invite(browser, "bo@example.org").status == 201)
            let mail = try #require(try await room.deliver().first)
            #expect(mail["inviter"] == nil && mail["account"] != nil && mail.secret.count == 43)
        }
    }

    @Test func `the mail is a campaign like any other, and its content is destroyed with it`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            _ = try await invite(owner, "bo@example.org")
            #expect(try await room.deliver().count == 1)
            let balance = try await room.fixture.balance(room.account)
            #expect(balance.posted == 99 && balance.held == 0)
            let (state, isPurged, content) = try await room.fixture.records.owner.query(
                """
                SELECT c.state::text, c.purged_at IS NOT NULL,
                    (SELECT count(*) FROM campaign_content) + (SELECT count(*) FROM batch_recipients)
                FROM campaigns c
                """
            ).only.decode(String.self, Bool.self, Int.self)
            #expect(state == "completed" && isPurged && content == 0)
            let keys = try await room.fixture.vaultDatabase.owner.query(
                "SELECT count(*) FROM campaign_keys WHERE wrapped IS NOT NULL"
            ).only.decode(Int.self)
            #expect(keys == 0)
        }
    }

    @Test func `where nobody sends mail, nobody is invited`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            var services = fixture.services
            services.hasMail = false
            let router = APIServer.router(services, exposure: APIExposure(publicURL: Browser.origin))
            try await Application(router: router, logger: .silent).test(.router) { client in
                let answer = try await API(client: client).call(
                    .post, "/v1/invitations", body: Self.invitation("bo@example.org"), headers: owner.fields)
                answer.expectProblem(409, "no_installation_mail")
            }
            #expect(try await fixture.count("invitations", customer.account) == 0)
        }
    }

    @Test func `mail that cannot leave waits, and leaves no draft behind`() async throws {
        try await APIFixture.withMailroom(credits: 0) { room, customer, owner in
            #expect(try await invite(owner, "bo@example.org").status == 201)
            #expect(try await room.deliver().isEmpty)
            let campaigns = try await room.fixture.records.owner.query(
                "SELECT count(*) FROM campaigns WHERE state = 'draft'"
            ).only.decode(Int.self)
            #expect(campaigns == 0)
            #expect(try await owner.get("/v1/invitations").json["data"][0]["mailed_at"] == .null)
            try await room.fixture.grant(5, to: room.account, key: "later")
            // Not at once: others are tried meanwhile.
            #expect(try await room.deliver().isEmpty)
            try await room.fixture.records.owner.query("UPDATE invitations SET mail_due_at = now()")
            #expect(try await room.deliver().count == 1)
        }
    }

    @Test func `of two nodes that make a mail one sends it, and none sends what was taken back`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let records = room.fixture.records
            let pending = PendingMails(pool: records.pool, vault: room.fixture.stores.vault)
            _ = try await invite(owner, "bo@example.org")
            let first = try #require(try await pending.takeInvitations().first)
            #expect(try await pending.takeInvitations().isEmpty)
            try await records.owner.query("UPDATE invitations SET mail_due_at = now()")
            let second = try #require(try await pending.takeInvitations().first)
            #expect(first.secret != second.secret)
            try await records.pool.withConnection { try await pending.settle(first, on: $0) }
            await #expect(throws: MailNotWanted.self) {
                try await records.pool.withConnection { try await pending.settle(second, on: $0) }
            }
            let joined = try await owner.api.post("/v1/membership", Self.joining(try #require(first.secret).exposed))
            #expect(joined.status == 201)

            let made = try await invite(owner, "cy@example.org")
            let third = try #require(try await pending.takeInvitations().first)
            let id = try #require(made.json["id"].string)
            #expect(try await owner.call(.delete, "/v1/invitations/\(id)").status == 204)
            await #expect(throws: MailNotWanted.self) {
                try await records.pool.withConnection { try await pending.settle(third, on: $0) }
            }
        }
    }

    @Test func `invitations of a suspended account wait until it is released, and those of others go`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let store = room.fixture.store
            let other = try await room.fixture.customer()
            let others = try await room.fixture.signIn(
                try await room.fixture.user(.member(other.account, .owner)), owner.api)
            #expect(try await store.give(.suspend, to: .account(customer.account)))
            for (browser, name) in [(owner, "bo"), (others, "cy")] {
                #expect(try await invite(browser, "\(name)@example.org").status == 201)
            }
            #expect(try await room.deliver().map(\.address) == ["cy@example.org"])
            #expect(try await room.deliver().isEmpty)
            #expect(try await store.lift(.account(customer.account)))
            #expect(try await room.deliver().map(\.address) == ["bo@example.org"])
            // One that ends by itself.
            #expect(try await store.give(.suspend, to: .account(customer.account), seconds: 600))
            #expect(try await invite(owner, "di@example.org").status == 201)
            #expect(try await room.deliver().isEmpty)
            try await room.fixture.records.owner.query("UPDATE operator_orders SET ends_at = now()")
            #expect(try await room.deliver().map(\.address) == ["di@example.org"])
        }
    }

    @Test func `invitations leave codes half of the campaigns that the installation may have under way`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            room.fixture.stores.limits.replace(by: [room.account: [.campaigns: 4]])
            for name in ["a", "b", "c"] {
                #expect(try await invite(owner, "\(name)@example.org").status == 201)
                #expect(await room.mailer.sendDue() == 1)
            }
            #expect(try await invite(owner, "d@example.org").status == 201)
            #expect(await room.mailer.sendDue() == 0)
            // What is not taken soon expires.
            let isShort = try await room.fixture.records.owner.query(
                "SELECT bool_and(expires_at < created_at + interval '61 minutes') FROM campaigns"
            ).only.decode(Bool.self)
            #expect(isShort)
            let body = #"{"email": "\#(owner.user.address.text)"}"#
            #expect(try await owner.api.post("/v1/password/code", body).status == 202)
            #expect(await room.mailer.sendDue() == 1)
            #expect(try await room.deliver().count == 4)
            #expect(try await room.deliver().map(\.address) == ["d@example.org"])
        }
    }

    // MARK: Who may invite whom

    @Test func `nobody invites to a role above their own`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let admin = try await fixture.signIn(
                try await fixture.user(.member(customer.account, .admin)), owner.api)
            try await invite(admin, "bo@example.org", "owner").expectProblem(403, "above_own_role")
            #expect(try await invite(admin, "bo@example.org", "admin").status == 201)
            #expect(try await invite(owner, "cy@example.org", "owner").status == 201)
            #expect(try await fixture.count("invitations", customer.account) == 2)
        }
    }

    @Test(arguments: [
        ("", 400, "invalid_json"), ("{}", 422, "missing_field"),
        (#"{"email": "bo@example.org", "role": "operator"}"#, 422, "invalid_field"),
        (#"{"email": "bo@example.org", "role": "king"}"#, 422, "invalid_field"),
        (#"{"email": "nobody", "role": "viewer"}"#, 422, "invalid_user_address"),
        (#"{"email": "a@b.example\nBcc: c@d.example", "role": "viewer"}"#, 422, "invalid_user_address"),
        (#"{"email": "bo@example.org", "role": "viewer", "account": "1"}"#, 422, "unknown_field"),
    ]) func `bad input invites nobody`(_ body: String, _ status: Int, _ code: String) async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            try await owner.call(.post, "/v1/invitations", body).expectProblem(status, code)
            #expect(try await fixture.count("invitations", customer.account) == 0)
        }
    }

    @Test func `one invitation is open for an address, and none for who is here`() async throws {
        try await APIFixture.withOwner { fixture, _, owner in
            let first = try await invite(owner, "bo@example.org")
            try await invite(owner, "BO@example.org").expectProblem(409, "already_invited")
            try await invite(owner, owner.user.address.text).expectProblem(409, "already_member")
            let id = try #require(first.json["id"].string)
            #expect(try await owner.call(.delete, "/v1/invitations/\(id)").status == 204)
            try await owner.call(.delete, "/v1/invitations/\(id)").expectProblem(404, "invitation_not_found")
            #expect(try await invite(owner, "bo@example.org").status == 201)
        }
    }

    /// The sender's answer is the same for both; only who reads the mail learns of it.
    @Test func `that an address signs in elsewhere is told to nobody but its reader`() async throws {
        try await APIFixture.withMailroom { room, _, owner in
            let stranger = try await room.fixture.customer()
            let elsewhere = try await room.fixture.user(.member(stranger.account, .owner))
            let taken = try await invite(owner, elsewhere.address.text)
            let free = try await invite(owner, "free@example.org")
            #expect(taken.status == 201 && free.status == 201)
            #expect(taken.json.names == free.json.names && taken.json["role"] == free.json["role"])
            let mails = try await room.deliver()
            #expect(Set(mails.map(\.address)) == [elsewhere.address.text, "free@example.org"])
            let secret = try #require(mails.first { $0.address == elsewhere.address.text }?.secret)
            try await owner.api.post("/v1/membership", Self.joining(secret))
                .expectProblem(409, "user_address_taken")
            #expect(try await owner.get("/v1/invitations").json["data"].elements.count == 2)
            #expect(try await owner.get("/v1/members").json["data"].elements.count == 1)
        }
    }

    @Test func `so many invitations are open, and so many are written in a day`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            func fill(_ count: Int, revoked: Bool) async throws {
                try await fixture.records.owner.query(
                    """
                    INSERT INTO invitations (account_id, address, role, expires_at, revoked_at)
                    SELECT \(customer.account.rawValue), 'a' || n || '@example.org', 'viewer', now() + interval '1 day',
                        CASE WHEN \(revoked) THEN now() END
                    FROM generate_series(1, \(count)) n
                    """)
            }
            try await fill(99, revoked: false)
            #expect(try await invite(owner, "bo@example.org").status == 201)
            try await invite(owner, "cy@example.org").expectProblem(409, "too_many_invitations")
            try await fixture.records.owner.query(
                "UPDATE invitations SET revoked_at = now() WHERE account_id = \(customer.account.rawValue)")
            try await fill(99, revoked: true)
            #expect(try await invite(owner, "cy@example.org").status == 201)
            try await invite(owner, "di@example.org").expectProblem(429, "too_many_invitations_today")
        }
    }

    @Test func `an operator says how many an account writes in a day, and invites for it all the same`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let pool = fixture.records.pool
            try await pool.withTransaction {
                try await FleetStore.set([.invitations: 1], reset: [], for: customer.account, on: $0)
            }
            let other = try await fixture.customer()
            let others = try await fixture.signIn(
                try await fixture.user(.member(other.account, .owner)), owner.api)
            #expect(try await invite(owner, "bo@example.org").status == 201)
            try await invite(owner, "cy@example.org").expectProblem(429, "too_many_invitations_today")
            for name in ["bo", "cy"] { #expect(try await invite(others, "\(name)@example.org").status == 201) }
            _ = try await Invitations(pool: pool).create(
                "cy@example.org", as: .viewer, into: customer.account, isMailed: true)
            #expect(try await fixture.count("invitations", customer.account) == 2)
        }
    }

    @Test func `a repeated request invites once`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let body = Self.invitation("bo@example.org")
            let first = try await owner.call(.post, "/v1/invitations", body, idempotencyKey: "k")
            let second = try await owner.call(.post, "/v1/invitations", body, idempotencyKey: "k")
            #expect(second.status == 201 && second.isReplayed && second.json == first.json)
            #expect(try await fixture.count("invitations", customer.account) == 1)
        }
    }

    // MARK: Secrets that are over

    @Test(arguments: ["revoked", "expired", "inviter removed", "inviter lowered", "inviter below", "made up", ""])
    func `a secret that is over makes nobody a user`(_ way: String) async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let fixture = room.fixture
            let admin = try await fixture.signIn(
                try await fixture.user(.member(customer.account, .admin)), owner.api)
            let made = try await invite(admin, "bo@example.org", "admin")
            let id = try #require(made.json["id"].string)
            var secret = try #require(try await room.deliver().first?.secret)
            switch way {
            case "revoked": #expect(try await owner.call(.delete, "/v1/invitations/\(id)").status == 204)
            case "expired": try await fixture.records.owner.query("UPDATE invitations SET expires_at = now()")
            case "inviter removed": try await fixture.users.remove(admin.user.id, from: customer.account)
            case "inviter lowered": try await fixture.users.setRole(.manager, of: admin.user.id, in: customer.account)
            case "inviter below":
                try await fixture.records.owner.query("UPDATE invitations SET role = 'owner'")
            case "made up": secret = String(secret.reversed())
            default: secret = ""
            }
            let answer = try await owner.api.post("/v1/membership", Self.joining(secret))
            answer.expectProblem(410, "invitation_over")
            #expect(answer.headers[values: .setCookie].isEmpty)
            #expect(
                try await fixture.users.list(of: customer.account).allSatisfy { $0.address.text != "bo@example.org" })
        }
    }

    @Test func `of many who show one secret at once one joins`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            _ = try await invite(owner, "bo@example.org")
            let secret = try #require(try await room.deliver().first?.secret)
            let answers = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await owner.api.post("/v1/membership", Self.joining(secret)).status }
                }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(answers.count { $0 == 201 } == 1, "\(answers)")
            #expect(try await room.fixture.users.list(of: customer.account).count == 2)
        }
    }

    @Test func `who joins has a sound password and name, and a page of ours`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            _ = try await invite(owner, "bo.ekstrand@example.org")
            let secret = try #require(try await room.deliver().first?.secret)
            for (password, code) in [
                ("short", "password_too_short"), ("password1234", "password_too_common"),
                ("ekstrand2026", "password_too_common"), (String(repeating: "ab ", count: 30), "password_too_long"),
            ] {
                try await owner.api.post("/v1/membership", Self.joining(secret, password)).expectProblem(422, code)
            }
            let long = String(repeating: "x", count: 101)
            for name in ["", long, #"a\u0000b"#] {
                try await owner.api.post(
                    "/v1/membership",
                    #"{"secret": "\#(secret)", "name": "\#(name)", "password": "\#(Self.password)"}"#
                ).expectProblem(422, "invalid_user_name")
            }
            for headers in [["Origin": "https://attacker.example"], ["Sec-Fetch-Site": "cross-site"]] {
                try await owner.api.call(.post, "/v1/membership", body: Self.joining(secret), headers: headers)
                    .expectProblem(403, "origin_refused")
            }
            #expect(try await owner.api.post("/v1/membership", Self.joining(secret)).status == 201)
        }
    }

    @Test func `old invitations are forgotten, and not those that are open or of today`() async throws {
        try await APIFixture.withMailroom { room, customer, owner in
            let records = room.fixture.records
            for name in ["open", "old", "today"] { _ = try await invite(owner, "\(name)@example.org") }
            try await records.owner.query(
                """
                UPDATE invitations SET revoked_at = CASE WHEN address NOT LIKE 'open%' THEN now() END,
                    created_at = created_at - CASE WHEN address LIKE 'today%' THEN interval '0' ELSE interval '25 hours' END
                """)
            #expect(try await Invitations(pool: records.pool).sweep(on: records.pool) == 1)
            let left = try await records.owner.query("SELECT address FROM invitations ORDER BY 1").map {
                try $0.decode(String.self)
            }
            #expect(left == ["open@example.org", "today@example.org"])
        }
    }
}
