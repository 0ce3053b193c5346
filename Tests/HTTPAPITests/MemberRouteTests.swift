import CreditLedger
import Fleet
import HTTPAPI
import HTTPTypes
import Identity
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing

/// `/v1/members`, `DELETE /v1/membership` and `/v1/limits`.
@Suite struct MemberRouteTests {
    private struct People {
        let fixture: APIFixture
        let customer: Customer
        let api: API

        func member(_ role: Role) async throws -> Browser {
            try await fixture.signIn(try await fixture.user(.member(customer.account, role)), api)
        }

        func role(of browser: Browser) async throws -> Role? {
            try await fixture.users.list(of: customer.account).first { $0.id == browser.user.id }?.kind.role
        }
    }

    private static func role(_ name: String) -> String { #"{"role": "\#(name)"}"# }

    @Test func `people see each other, and nobody sees another account's`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let people = People(fixture: fixture, customer: customer, api: owner.api)
            let viewer = try await people.member(.viewer)
            let list = try await viewer.get("/v1/members")
            #expect(list.json["data"].elements.map { $0["id"].string } == ["\(owner.user.id)", "\(viewer.user.id)"])
            #expect(list.json["data"][0]["last_sign_in_at"].string != nil && list.json["next"] == .null)
            let stranger = try await fixture.customer()
            let other = try await fixture.signIn(
                try await fixture.user(.member(stranger.account, .owner)), owner.api)
            #expect(try await other.get("/v1/members").json["data"].elements.count == 1)
            for id in ["\(viewer.user.id)", "usr_0", "usr_01", "7", "%FF"] {
                for answer in [
                    try await other.call(.patch, "/v1/members/\(id)", Self.role("viewer")),
                    try await other.call(.delete, "/v1/members/\(id)"),
                ] { #expect(answer.status == 404, "\(answer.text)") }
            }
            #expect(try await people.role(of: viewer) == .viewer)
        }
    }

    /// Who asks, whom about, the role to give (nil: removal), and what is answered.
    private static let attempts: [(Role, Role, Role?, Int)] = [
        (.admin, .viewer, .admin, 200), (.admin, .admin, .viewer, 200), (.owner, .owner, .viewer, 200),
        (.owner, .viewer, .owner, 200), (.admin, .viewer, .owner, 403), (.admin, .owner, .viewer, 403),
        (.admin, .owner, nil, 403), (.admin, .admin, nil, 204), (.owner, .owner, nil, 204),
        (.manager, .viewer, .viewer, 403), (.manager, .viewer, nil, 403), (.viewer, .viewer, nil, 403),
    ]

    @Test(arguments: attempts)
    func `nobody gives more than they have, or touches who is above`(
        _ actor: Role, _ subject: Role, _ given: Role?, _ status: Int
    ) async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let people = People(fixture: fixture, customer: customer, api: owner.api)
            let (one, other) = (try await people.member(actor), try await people.member(subject))
            let path = "/v1/members/\(other.user.id)"
            let answer =
                if let given {
                    try await one.call(.patch, path, Self.role(given.rawValue))
                } else {
                    try await one.call(.delete, path)
                }
            #expect(answer.status == status, "\(answer.text)")
            #expect(try await people.role(of: other) == (status == 403 ? subject : given))
            if status == 403 { #expect(answer.code == (actor < .admin ? "role_missing" : "above_own_role")) }
            if status == 200 { #expect(answer.json["role"].string == given?.rawValue) }
            try await other.get("/v1/session").expect(given == nil && status == 204 ? 401 : 200)
        }
    }

    @Test func `nobody raises themselves, and who has lowered themselves stays so`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let people = People(fixture: fixture, customer: customer, api: owner.api)
            let admin = try await people.member(.admin)
            let own = "/v1/members/\(admin.user.id)"
            try await admin.call(.patch, own, Self.role("owner")).expectProblem(403, "above_own_role")
            #expect(try await admin.call(.patch, own, Self.role("member")).status == 200)
            try await admin.call(.patch, own, Self.role("admin")).expectProblem(403, "role_missing")
            #expect(try await people.role(of: admin) == .member)
        }
    }

    @Test func `the last owner stays, and everybody else may leave`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let people = People(fixture: fixture, customer: customer, api: owner.api)
            let own = "/v1/members/\(owner.user.id)"
            try await owner.call(.delete, "/v1/membership").expectProblem(409, "last_owner")
            try await owner.call(.delete, own).expectProblem(409, "last_owner")
            try await owner.call(.patch, own, Self.role("viewer")).expectProblem(409, "last_owner")
            let viewer = try await people.member(.viewer)
            let gone = try await viewer.call(.delete, "/v1/membership")
            #expect(gone.status == 204 && gone.headers[values: .setCookie].count == 2)
            try await viewer.get("/v1/session").expectProblem(401, "unauthorized")
            let heir = try await people.member(.owner)
            #expect(try await owner.call(.delete, "/v1/membership").status == 204)
            try await heir.call(.delete, "/v1/membership").expectProblem(409, "last_owner")
            let operatorOnly = try await fixture.signIn(try await fixture.user(.installationOperator), owner.api)
            try await operatorOnly.call(.delete, "/v1/membership").expectProblem(403, "role_missing")
        }
    }

    /// Each of two lowers the other at the same time: whoever is second may do so no more.
    @Test func `of two who lower each other at once one succeeds`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let people = People(fixture: fixture, customer: customer, api: owner.api)
            for _ in 0..<10 {
                let (one, other) = (try await people.member(.admin), try await people.member(.admin))
                async let first = one.call(.patch, "/v1/members/\(other.user.id)", Self.role("viewer"))
                async let second = other.call(.patch, "/v1/members/\(one.user.id)", Self.role("viewer"))
                let statuses = [try await first.status, try await second.status]
                #expect(statuses.count { $0 == 200 } == 1, "\(statuses)")
                let roles = [try await people.role(of: one), try await people.role(of: other)]
                #expect(roles.count { $0 == .viewer } == 1)
            }
        }
    }

    @Test(arguments: [
        ("", 400, "invalid_json"), ("{}", 422, "missing_field"), (#"{"role": "operator"}"#, 422, "invalid_field"),
        (#"{"role": 7}"#, 422, "invalid_field"), (#"{"role": "viewer", "name": "x"}"#, 422, "unknown_field"),
    ]) func `bad input changes nobody`(_ body: String, _ status: Int, _ code: String) async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let people = People(fixture: fixture, customer: customer, api: owner.api)
            let member = try await people.member(.member)
            try await owner.call(.patch, "/v1/members/\(member.user.id)", body).expectProblem(status, code)
            #expect(try await people.role(of: member) == .member)
        }
    }

    @Test func `an account sees its limits, with what is used of them`() async throws {
        let fixture = try await APIFixture.make()
        let customer = try await fixture.customer()
        try await fixture.withAPI(customer.key) { api in
            _ = try await api.draft(1)
            _ = try await api.sent(1)
            fixture.stores.limits.replace(by: [customer.account: [.drafts: 7]])
            let data = try await api.get("/v1/limits").json["data"]
            #expect(data.elements.map { $0["name"].string } == AccountLimit.allCases.map(\.rawValue))
            let rows = Dictionary(uniqueKeysWithValues: data.elements.map { ($0["name"].string ?? "", $0) })
            let expected: [(AccountLimit, Int, JSON)] = [
                (.drafts, 7, 1), (.campaigns, 5_000, 1), (.domains, 1_000, 1), (.keys, 1_000, 1), (.webhooks, 20, 0),
                (.suppressions, 50_000_000, .null), (.requests, 3, .null), (.invitations, 200, .null),
            ]
            for (limit, value, used) in expected {
                let row = try #require(rows[limit.rawValue])
                #expect(row["value"].integer == value && row["used"] == used, "\(limit)")
            }
        }
    }
}

extension Answer {
    fileprivate func expect(_ status: Int, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(self.status == status, "\(text)", sourceLocation: sourceLocation)
    }
}
