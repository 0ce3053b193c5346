import HTTPAPI
import HTTPTypes
import MailTypes
import Postgres
import TestDatabases
import Testing

@testable import Identity

/// `PATCH /v1/account`: a second factor that an account demands of its people.
@Suite struct SecondFactorDemandTests {
    private static let on = #"{"second_factor_required": true}"#
    private static let off = #"{"second_factor_required": false}"#
    private static let password = #"{"password": "\#(Browser.password)"}"#

    private let document = DocumentScanner(OpenAPIDocument.text)

    /// Makes the factor of a user count.
    private static func enrol(_ user: User, _ fixture: APIFixture) async throws {
        try await fixture.records.owner.query(
            """
            INSERT INTO second_factors (account_id, user_id, sealed, confirmed_at)
            VALUES (\(user.kind.account.rawValue), \(user.id.rawValue), '', now())
            """)
    }

    @Test func `it is demanded by an owner who has one`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let before = try await owner.get("/v1/account")
            #expect(before.status == 200 && before.json["second_factor_required"] == false)
            #expect(before.json.names == document.members(of: "Account"))
            try await owner.call(.patch, "/v1/account", Self.on).expectProblem(409, "second_factor_missing")
            #expect(try await owner.get("/v1/account").json["second_factor_required"] == false)
            try await Self.enrol(owner.user, fixture)
            let after = try await owner.call(.patch, "/v1/account", Self.on)
            #expect(after.status == 200 && after.json["second_factor_required"] == true)
            #expect(after.json["account"].string == "\(customer.account)")
            #expect(try await owner.get("/v1/me/second-factor").json["required"] == true)
            #expect(try await owner.get("/v1/session").json["second_factor_required"] == false)
            let list = try await owner.get("/v1/members")
            #expect(list.json["data"][0]["second_factor"] == true)
            #expect(list.json["data"][0].names == document.members(of: "Member"))
            #expect(try await owner.call(.patch, "/v1/account", Self.off).json["second_factor_required"] == false)
        }
    }

    /// One who has signed in before, and one who does so afterwards.
    @Test func `whoever has none reaches enrolment, themselves and the way out, and nothing else`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let viewer = try await fixture.user(.member(customer.account, .viewer))
            let second = try await fixture.user(.member(customer.account, .owner))
            let before = try await fixture.signIn(second, owner.api)
            try await Self.enrol(owner.user, fixture)
            #expect(try await owner.call(.patch, "/v1/account", Self.on).status == 200)
            let answer = try await owner.api.post(
                "/v1/session", #"{"email": "\#(viewer.address.text)", "password": "\#(Browser.password)"}"#)
            #expect(answer.status == 201 && answer.json["second_factor_required"] == true)
            let after = try await fixture.signIn(viewer, owner.api)
            let state = try await fixture.state(customer.account)
            var open: Set<APIOperation> = []
            for operation in APIOperation.allCases where operation.access != .open && operation != .signOut {
                for browser in [before, after] {
                    let answer = try await browser.call(
                        operation.method, operation.samplePath, operation.method == .get ? nil : "{}")
                    if answer.code == "second_factor_required" {
                        answer.expectProblem(403, "second_factor_required")
                    } else {
                        open.insert(operation)
                    }
                }
            }
            #expect(open == [.getSession, .getSecondFactor, .beginSecondFactor, .confirmSecondFactor])
            #expect(try await fixture.state(customer.account) == state)
            #expect(try await owner.get("/v1/credits").status == 200)
            #expect(try await after.call(.delete, "/v1/session").status == 204)
        }
    }

    @Test func `keys go on, and whoever has added one may do what they could`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let member = try await fixture.signIn(
                try await fixture.user(.member(customer.account, .member)), owner.api)
            try await fixture.users.demandSecondFactor(true, in: customer.account)
            try await member.get("/v1/credits").expectProblem(403, "second_factor_required")
            #expect(try await API(client: owner.api.client, key: customer.key).get("/v1/credits").status == 200)
            let secret = try await member.call(.post, "/v1/me/second-factor", Self.password)
            #expect(secret.status == 201, "\(secret.text)")
            try await member.get("/v1/credits").expectProblem(403, "second_factor_required")
            let app = TOTP(secret: SecondFactorRouteTests.octets(secret.json["secret"].string ?? ""))
            let code = app.code(at: TOTP.step(at: secondsSince1970()))
            let confirmed = try await member.call(.post, "/v1/me/second-factor/confirm", #"{"code": "\#(code)"}"#)
            #expect(confirmed.status == 200, "\(confirmed.text)")
            #expect(try await member.get("/v1/credits").status == 200)
            #expect(try await member.get("/v1/session").json["second_factor_required"] == false)
            try await member.call(.post, "/v1/me/second-factor/disable", Self.password)
                .expectProblem(409, "second_factor_demanded")
            #expect(try await member.get("/v1/me/second-factor").json["enabled"] == true)
            try await fixture.users.demandSecondFactor(false, in: customer.account)
            #expect(try await member.call(.post, "/v1/me/second-factor/disable", Self.password).status == 204)
        }
    }

    /// An owner who demands it gives up their own at the same moment: one of the two is refused.
    @Test(.timeLimit(.minutes(2))) func `nobody demands what they give up at once`() async throws {
        let fixture = try await APIFixture.make()
        for _ in 0..<10 {
            let customer = try await fixture.customer()
            let owner = try await fixture.user(.member(customer.account, .owner))
            try await fixture.withPages { api in
                let browser = try await fixture.signIn(owner, api)
                try await Self.enrol(owner, fixture)
                async let demanded = browser.call(.patch, "/v1/account", Self.on)
                async let disabled = browser.call(.post, "/v1/me/second-factor/disable", Self.password)
                let statuses = [try await demanded.status, try await disabled.status]
                #expect([[200, 409], [409, 204]].contains(statuses), "\(statuses)")
            }
        }
    }

    @Test(arguments: [
        ("", 400, "invalid_json"), ("{}", 422, "missing_field"),
        (#"{"second_factor_required": "yes"}"#, 422, "invalid_field"),
        (#"{"second_factor_required": true, "name": "x"}"#, 422, "unknown_field"),
    ]) func `bad input demands nothing`(_ body: String, _ status: Int, _ code: String) async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            try await Self.enrol(owner.user, fixture)
            try await owner.call(.patch, "/v1/account", body).expectProblem(status, code)
            #expect(try await owner.get("/v1/account").json["second_factor_required"] == false)
        }
        #expect(document.members(of: "AccountChange") == ["second_factor_required"])
    }
}
