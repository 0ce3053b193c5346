import HTTPAPI
import HTTPTypes
import Identity
import MailTypes
import Postgres
import TestDatabases
import Testing

/// Which role may do what: the table itself, and that each route keeps to it.
@Suite struct RoleTests {
    private static let ofAccounts: [(APIOperation, Role)] = APIOperation.allCases.compactMap { operation in
        operation.leastRole.map { (operation, $0) }
    }

    /// What people do with their own session, second factor and membership needs none.
    private static let ofOneself: Set<APIOperation> = [
        .getSession, .signOut, .listOwnSessions, .endOwnSessions, .endOwnSession, .leaveAccount, .getSecondFactor,
        .beginSecondFactor, .confirmSecondFactor,
        .disableSecondFactor, .replaceRecoveryCodes,
    ]

    @Test func `all that is an account's needs a role, and nothing else does`() {
        for operation in APIOperation.allCases {
            if operation.access == .open || Self.ofOneself.contains(operation) {
                #expect(operation.leastRole == nil, "\(operation)")
            } else {
                #expect(operation.leastRole != nil, "\(operation)")
            }
        }
        #expect(Self.ofAccounts.count > 40)
    }

    @Test(arguments: ofAccounts)
    func `what destroys needs a manager, keys and money an admin, and every change a member`(
        _ operation: APIOperation, _ least: Role
    ) {
        if operation.method != .get { #expect(least >= .member) }
        if operation.method == .delete || operation.path.hasSuffix("/send") || operation.path.hasSuffix("/cancel") {
            #expect(least >= .manager)
        }
        if operation.path.hasPrefix("/v1/keys") || operation.path.hasSuffix("/credits/entries")
            || operation.path.hasPrefix("/v1/invitations") || operation.path.hasPrefix("/v1/sessions")
            || operation.path.hasPrefix("/v1/members") && operation.method != .get
        {
            #expect(least >= .admin)
        }
        if operation == .changeAccount { #expect(least == .owner) }
    }

    /// Each operation is asked by a user of each role, and by an operator; then nothing may have changed for those who are
    /// refused, and the others get past the check.
    @Test func `each route is open to its roles and closed to the others`() async throws {
        let fixture = try await APIFixture.shared()
        let customer = try await fixture.customer()
        try await fixture.withPages { api in
            var browsers: [(Role?, Browser)] = []
            for role in Role.allCases.reversed() {
                let user = try await fixture.user(.member(customer.account, role))
                browsers.append((role, try await fixture.signIn(user, api)))
            }
            browsers.append((nil, try await fixture.signIn(try await fixture.user(.installationOperator), api)))
            var refused = 0
            for (operation, least) in Self.ofAccounts {
                for (place, (role, _)) in browsers.enumerated() {
                    let browser = browsers[place].1
                    let isAllowed = role.map { $0 >= least } ?? false
                    let before = isAllowed ? [:] : try await fixture.state(customer.account)
                    let answer = try await browser.call(
                        operation.method, operation.samplePath, operation.method == .get ? nil : "{}")
                    guard !isAllowed else {
                        #expect(
                            ![401, 403, 405].contains(answer.status) && answer.status < 500,
                            "\(operation) \(answer.text)")
                        // Everybody is out then.
                        for place in browsers.indices where operation == .endSessions {
                            browsers[place].1 = try await fixture.signIn(browsers[place].1.user, api)
                        }
                        continue
                    }
                    answer.expectProblem(403, "role_missing")
                    #expect(answer.json["detail"].string?.contains(least.rawValue) == true)
                    #expect(try await fixture.state(customer.account) == before)
                    refused += 1
                    guard operation.method == .get else { continue }
                    #expect(try await browser.call(.head, operation.samplePath).status == 403)
                }
            }
            #expect(refused > 80)
            for (role, browser) in browsers {
                let known = try await browser.get("/v1/session")
                #expect(known.status == 200 && known.json["role"].string == role?.rawValue ?? "operator")
                #expect((known.json["account"] == .null) == (role == nil))
            }
        }
    }

    @Test func `a role that was taken away is gone, also for who is at work`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let admin = try await fixture.signIn(
                try await fixture.user(.member(customer.account, .admin)), owner.api)
            let body = #"{"name": "n", "scopes": ["*"]}"#
            #expect(try await admin.call(.post, "/v1/keys", body).status == 201)
            try await fixture.users.setRole(.member, of: admin.user.id, in: customer.account)
            try await admin.call(.post, "/v1/keys", body).expectProblem(403, "role_missing")
            try await fixture.users.remove(admin.user.id, from: customer.account)
            try await admin.call(.post, "/v1/keys", body).expectProblem(401, "unauthorized")
            #expect(try await fixture.count("api_keys", customer.account) == 2)
        }
    }

    @Test func `what belongs to another account does not exist for its people either`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let draft = try await owner.call(.post, "/v1/campaigns", API.draft)
            let id = try #require(draft.json["id"].string)
            let stranger = try await fixture.customer()
            let other = try await fixture.signIn(
                try await fixture.user(.member(stranger.account, .owner)), owner.api)
            let before = try await fixture.state(customer.account)
            for (method, path) in [
                (HTTPRequest.Method.get, "/v1/campaigns/\(id)"), (.delete, "/v1/campaigns/\(id)"),
                (.post, "/v1/campaigns/\(id)/send"), (.get, "/v1/keys/\(customer.keyID)"),
                (.delete, "/v1/keys/\(customer.keyID)"),
            ] { #expect(try await other.call(method, path, method == .post ? "" : nil).status == 404) }
            #expect(try await other.get("/v1/campaigns").json["data"] == .list([]))
            #expect(try await fixture.state(customer.account) == before)
        }
    }
}
