import Foundation
import HTTPAPI
import Identity
import MailTypes
import Postgres
import TestDatabases
import TestStores

/// An account that has one of everything, each with a word in it that nobody else uses.
struct Tenant: Sendable {
    /// What an identifier in a path names.
    enum Kind: CaseIterable, Sendable {
        case campaign, webhook, key, domain, selector, address, provider, secret, token, user, member, invitation,
            session

        /// - Returns: nil for a parameter that the matrix does not know yet.
        init?(parameter: Substring, of path: Substring) {
            switch parameter {
            case "{id}" where path.hasPrefix("/v1/campaigns/"): self = .campaign
            case "{id}" where path.hasPrefix("/v1/webhooks/"): self = .webhook
            case "{id}" where path.hasPrefix("/v1/keys/"): self = .key
            case "{id}" where path.hasPrefix("/v1/members/"): self = .member
            case "{id}" where path.hasPrefix("/v1/invitations/"): self = .invitation
            case "{id}" where path.hasPrefix("/v1/sessions/"), "{id}" where path.hasPrefix("/v1/me/sessions/"):
                self = .session
            case "{domain}": self = .domain
            case "{selector}": self = .selector
            case "{address}": self = .address
            case "{provider}": self = .provider
            case "{secret}": self = .secret
            case "{token}": self = .token
            default: return nil
            }
        }

        /// Of the right form, and nobody's.
        var unknown: String {
            switch self {
            case .campaign: "cmp_0000000000000"
            case .webhook: "whk_0000000000000"
            case .key: "key_9000000000000000000"
            case .member: "usr_9000000000000000000"
            case .invitation: "inv_9000000000000000000"
            case .session: "ses_9000000000000000000"
            case .domain: "nobody.example"
            case .selector: "s9"
            case .address: "nobody@nobody.example"
            case .provider: "generic"
            case .secret, .token: "none"
            case .user: "nobody@people.example"
            }
        }
    }

    let customer: Customer
    let owner: User
    /// By scope: a key that may do this and nothing else.
    let keys: [Scope: String]
    /// By scope: a key that may do all but this.
    let otherKeys: [Scope: String]
    let ids: [Kind: [String]]
    /// Campaigns that run no more: whoever watches one of them comes to an end.
    let ended: [String]
    /// What in an answer comes from this account.
    let marks: Set<String>

    var account: AccountID { customer.account }

    /// Two of them, so that neither is delivered by what makes the other.
    static func pair(_ fixture: APIFixture) async throws -> (Tenant, Tenant) {
        let customers = [try await fixture.customer(credits: 912_837), try await fixture.customer(credits: 823_746)]
        var ended: [String] = []
        for customer in customers {
            let id = try await fixture.withAPI(customer.key) { try await $0.sent(3) }
            try await fixture.deliver(id, of: customer.account, outcome: .bounced)
            ended.append(id)
        }
        return (
            try await make(customers[0], ended[0], fixture), try await make(customers[1], ended[1], fixture)
        )
    }

    private static func make(_ customer: Customer, _ ended: String, _ fixture: APIFixture) async throws -> Tenant {
        let word = "zq" + String((0..<12).map { _ in "abcdefghijklmnop".randomElement() ?? "a" })
        var keys: [Scope: String] = [:]
        var otherKeys: [Scope: String] = [:]
        for scope in Scope.allCases {
            keys[scope] = try await fixture.key(of: customer, [scope.rawValue])
            otherKeys[scope] = try await fixture.key(
                of: customer, Scope.allCases.filter { $0 != scope }.map(\.rawValue))
        }
        let (owner, ids, marks) = try await fixture.withAPI(customer.key) {
            try await fill($0, word, ended, customer, fixture)
        }
        return Tenant(
            customer: customer, owner: owner, keys: keys, otherKeys: otherKeys, ids: ids,
            ended: [ended, ids[.campaign]?.last].compactMap(\.self), marks: marks)
    }

    private static func fill(
        _ api: API, _ word: String, _ ended: String, _ customer: Customer, _ fixture: APIFixture
    ) async throws -> (User, [Kind: [String]], Set<String>) {
        func made(_ path: String, _ body: String, _ key: String? = nil) async throws -> JSON {
            let answer = try await api.post(path, body, idempotencyKey: key)
            guard (200..<300).contains(answer.status) else { throw Unexpected(answer: answer) }
            return answer.json
        }
        let domain = try await made("/v1/domains", #"{"domain": "\#(word).example", "ed25519": true}"#)
        let key = try await made("/v1/keys", #"{"name": "\#(word)", "scopes": ["credits:read"]}"#)
        let webhook = try await made(
            "/v1/webhooks", #"{"url": "https://\#(word).example/in", "description": "\#(word)"}"#)
        let draft = try await made(
            "/v1/campaigns",
            #"{"from": "\#(word) <a@\#(word).example>", "subject": "Hello \#(word)", "text": "An offer."}"#)
        // The same request under the same key as others have.
        let shared = try await made("/v1/campaigns", API.draft, "shared")
        let names = try [draft, shared].map { try id($0) }
        _ = try await api.upload(names[0], #"{"email": "\#(word)@\#(word).example", "name": "\#(word)"}"# + "\n")
        let sent = try await api.sent(2)
        let deleted = try await api.draft(1)
        _ = try await api.delete("/v1/campaigns/\(deleted)")
        _ = try await made("/v1/suppressions", #"{"addresses": ["\#(word)@\#(word).example"], "note": "\#(word)"}"#)
        let webhookID = try id(webhook)
        _ = try await made("/v1/webhooks/\(webhookID)/test", "{}")
        let user = try await fixture.users.create(
            .member(customer.account, .owner), address: "\(word)@people.example", password: Browser.password)
        let account = customer.account.rawValue
        let invited = try await fixture.records.owner.query(
            """
            INSERT INTO invitations (account_id, address, role, inviter_id, secret_hash, expires_at)
            VALUES (\(account), \(word + "@invited.example"), 'viewer', \(user.id.rawValue), sha256(\(Array(word.utf8))),
                now() + interval '1 day')
            RETURNING invitation_id
            """
        ).only.decode(Int64.self)
        let session = try await fixture.records.owner.query(
            """
            INSERT INTO sessions (
                account_id, user_id, refresh_hash, user_generation, account_generation, client, expires_at)
            VALUES (\(account), \(user.id.rawValue), sha256(\(Array(word.utf8))), 0, 0, \(word), now() + interval '1 day')
            RETURNING session_id
            """
        ).only.decode(Int64.self)
        try await fixture.records.owner.query(
            """
            INSERT INTO webhook_attempts (
                account_id, endpoint_id, message, events, attempt, milliseconds, error, attempted_at)
            SELECT account_id, endpoint_id, \(word), 1, 1, 5, \(word), now() FROM webhook_endpoints
            WHERE account_id = \(account)
            """)
        try await fixture.records.owner.query(
            """
            INSERT INTO domain_reports (
                account_id, domain, kind, organization, report_id, begins_at, ends_at, good, bad, sources, counts, goods,
                details)
            VALUES (\(account), \(word + ".example"), 'tls', \(word), \(word), now(), now(), 1, 0, '{}', '{}', '{}', '{}')
            """)
        try await fixture.records.owner.query(
            """
            INSERT INTO feedback_by_provider (account_id, campaign_id, provider, hour, delivered)
            VALUES (\(account), 1, \(word), date_trunc('hour', now()), 400)
            """)
        let posted = try await api.get("/v1/credits").json["posted"].integer.map(String.init)
        let secrets =
            domain["keys"].elements.compactMap { $0["record"].string }
            + [
                domain["challenge"]["value"].string, webhook["secret"].string, posted,
            ].compactMap(\.self)
        let ids: [Kind: [String]] = [
            .campaign: [names[0], names[1], sent, ended, deleted], .webhook: [webhookID],
            .key: [try id(key), "\(customer.keyID)"], .domain: ["\(word).example"], .selector: ["s1"],
            .address: ["\(word)@\(word).example"], .provider: ["generic"], .secret: ["none"], .token: ["none"],
            .user: [user.address.text], .member: ["\(user.id)"], .invitation: ["inv_\(invited)"],
            .session: ["ses_\(session)"],
        ]
        let named = [Kind.campaign, .webhook, .key, .member, .invitation, .session].flatMap { ids[$0] ?? [] }
        return (user, ids, Set([word] + secrets + named))
    }

    private static func id(_ json: JSON) throws -> String {
        guard let id = json["id"].string else { throw APIFixture.NoCampaign() }
        return id
    }
}

extension APIFixture {
    /// Everything that the account has in the records, by table, and its campaign keys: equal states are equal. One
    /// statement, because a matrix asks for it many times. When a key was last used, or a session last seen, is left out, and
    /// so are codes by mail, which anybody may have sent to anybody.
    func rows(_ account: AccountID) async throws -> [String: String] {
        let tables = try await records.owner.query(
            """
            SELECT DISTINCT table_name::text FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name = 'account_id'
                AND table_name NOT IN ('request_windows', 'user_request_windows', 'mail_codes')
            ORDER BY 1
            """
        ).map { try $0.decode(String.self) }
        let parts = tables.map { table in
            """
            SELECT '\(table)'::text, coalesce(md5(string_agg(t.row, ' ' ORDER BY t.row)), '') FROM (
                SELECT (to_jsonb(r) - 'last_used_at' - 'last_seen_at')::text AS row FROM \(SQL.quoted(identifier: table)) r
                WHERE account_id = \(account.rawValue)) t
            """
        }
        var rows = Dictionary(
            uniqueKeysWithValues: try await records.owner.query(SQL(unescaped: parts.joined(separator: " UNION ALL ")))
                .map { try $0.decode(String.self, String.self) })
        rows["campaign_keys"] = try await vaultDatabase.owner.query(
            """
            SELECT coalesce(string_agg(campaign_id::text, ' ' ORDER BY campaign_id), '') FROM campaign_keys
            WHERE account_id = \(account.rawValue) AND wrapped IS NOT NULL
            """
        ).only.decode(column: 0, as: String.self)
        return rows
    }
}
