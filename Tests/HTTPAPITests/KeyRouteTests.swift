import HTTPAPI
import HTTPTypes
import Identity
import MailTypes
import Postgres
import TestDatabases
import Testing

/// `/v1/keys`, and what keys may be used for.
@Suite struct KeyRouteTests {
    private static let body = #"""
        {"name": "reports", "scopes": ["credits:read", "campaigns:*"], "networks": ["192.0.2.0/24"],
            "expires_at": "2099-02-03T04:05:06+01:00"}
        """#

    @Test func `a key is shown once and masked afterwards`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let made = try await api.post("/v1/keys", Self.body)
            #expect(made.status == 201, "\(made.text)")
            let key = try #require(made.json["key"].string)
            let id = try #require(made.json["id"].string)
            #expect(APIKey(key) != nil)
            let found = try await api.get("/v1/keys/\(id)")
            #expect(found.json["masked"].string == key.prefix(12) + "…")
            #expect(found.json["scopes"] == .list(["campaigns:*", "credits:read"]))
            #expect(found.json["networks"] == .list(["192.0.2.0/24"]))
            #expect(found.json["expires_at"] == "2099-02-03T03:05:06Z")
            #expect(found.json["last_used_at"] == .null && found.json["revoked_at"] == .null)
            let list = try await api.get("/v1/keys")
            #expect(list.json["data"].elements.count == 2 && list.json["data"][0] == found.json)
            #expect(list.json["data"][1]["id"].string == "\(customer.keyID)")
            #expect(list.json["data"][1]["scopes"] == .list(["*"]))
            for answer in [found, list] { #expect(!answer.text.contains(key.dropFirst(12))) }
            let page = try await api.get("/v1/keys?limit=1")
            #expect(page.json["next"].string == id)
            #expect(try await api.get("/v1/keys?limit=1&after=\(id)").json["data"][0] == list.json["data"][1])
            try await api.get("/v1/keys?after=cmp_1").expectProblem(400, "invalid_cursor")
        }
    }

    @Test func `a repeated request makes one key, and its answer has none`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let first = try await api.post("/v1/keys", Self.body, idempotencyKey: "k")
            let key = try #require(first.json["key"].string)
            let second = try await api.post("/v1/keys", Self.body, idempotencyKey: "k")
            #expect(second.status == 201 && second.isReplayed)
            #expect(second.json["id"] == first.json["id"] && second.json["key"] == .null)
            #expect(try await fixture.count("api_keys", customer.account) == 2)
            let kept = try await fixture.records.owner.query(
                "SELECT convert_from(body, 'UTF8') FROM idempotency_keys WHERE account_id = \(customer.account.rawValue)"
            ).only.decode(String.self)
            #expect(!kept.contains(key.dropFirst(12)))
            try await api.post("/v1/keys", #"{"name": "o", "scopes": ["*"]}"#, idempotencyKey: "k")
                .expectProblem(422, "idempotency_conflict")
        }
    }

    @Test func `a revoked key is refused at once, and nobody brings it back`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let made = try await api.post("/v1/keys", #"{"name": "n", "scopes": ["*"]}"#).json
            let id = try #require(made["id"].string)
            try await fixture.withAPI(made["key"].string) { other in
                #expect(try await other.get("/v1/credits").status == 200)
                // It may also revoke itself.
                #expect(try await other.delete("/v1/keys/\(id)").status == 204)
                try await other.get("/v1/credits").expectProblem(401, "unauthorized")
            }
            #expect(try await api.get("/v1/keys/\(id)").json["revoked_at"].string != nil)
            try await api.delete("/v1/keys/\(id)").expectProblem(404, "api_key_not_found")
        }
    }

    @Test func `keys of another account do not exist`() async throws {
        try await APIFixture.withCustomer { fixture, customer, owner in
            let stranger = try await fixture.customer()
            try await fixture.withAPI(stranger.key) { api in
                for path in ["\(customer.keyID)", "key_9000000000000000000", "17", "key_01", "%FF"] {
                    try await api.get("/v1/keys/\(path)").expectAnyProblem()
                    #expect(try await api.get("/v1/keys/\(path)").status == 404)
                    #expect(try await api.delete("/v1/keys/\(path)").status == 404)
                }
                #expect(try await api.get("/v1/keys").json["data"].elements.count == 1)
                #expect(try await api.get("/v1/keys?after=\(customer.keyID)").json["data"] == .list([]))
            }
            #expect(try await owner.get("/v1/credits").status == 200)
        }
    }

    @Test(arguments: [
        (#"{"scopes": ["*"]}"#, "missing_field"), (#"{"name": "n"}"#, "missing_field"),
        (#"{"name": "n", "scopes": []}"#, "invalid_scopes"), (#"{"name": "n", "scopes": ["all"]}"#, "invalid_scopes"),
        (#"{"name": "n", "scopes": "*"}"#, "invalid_field"), (#"{"name": "", "scopes": ["*"]}"#, "invalid_key_name"),
        (#"{"name": "a\nb", "scopes": ["*"]}"#, "invalid_key_name"),
        (#"{"name": "n", "scopes": ["*"], "networks": ["192.0.2.1/24"]}"#, "invalid_networks"),
        (#"{"name": "n", "scopes": ["*"], "networks": ["host"]}"#, "invalid_networks"),
        (#"{"name": "n", "scopes": ["*"], "expires_at": "2020-01-01T00:00:00Z"}"#, "invalid_expiry"),
        (#"{"name": "n", "scopes": ["*"], "expires_at": "tomorrow"}"#, "invalid_field"),
        (#"{"name": "n", "scopes": ["*"], "key": "sl_live_x"}"#, "unknown_field"),
    ]) func `bad input makes no key`(_ body: String, _ code: String) async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            try await api.post("/v1/keys", body).expectProblem(422, code)
            #expect(try await fixture.count("api_keys", customer.account) == 1)
        }
    }

    @Test func `a key hands on no more than it has`() async throws {
        try await APIFixture.withCustomer { fixture, customer, _ in
            let maker = try await fixture.key(of: customer, ["keys:write", "campaigns:read"])
            try await fixture.withAPI(maker) { api in
                #expect(
                    try await api.post("/v1/keys", #"{"name": "n", "scopes": ["campaigns:read"]}"#).status == 201)
                for scopes in [#"["campaigns:send"]"#, #"["campaigns:*"]"#, #"["*"]"#] {
                    try await api.post("/v1/keys", #"{"name": "n", "scopes": \#(scopes)}"#)
                        .expectProblem(403, "exceeds_own_key")
                }
            }
            #expect(try await fixture.count("api_keys", customer.account) == 3)
        }
    }

    // MARK: Scopes

    private static let scoped: [(APIOperation, Scope)] = APIOperation.allCases.compactMap { operation in
        guard case .key(let scope) = operation.access else { return nil }
        return (operation, scope)
    }

    @Test(arguments: scoped) func `without its scope an operation is refused before anything is done`(
        _ operation: APIOperation, _ scope: Scope
    ) async throws {
        try await APIFixture.withCustomer { fixture, customer, _ in
            let others = Scope.allCases.filter { $0 != scope }.map(\.rawValue)
            let key = try await fixture.key(of: customer, others)
            let before = try await fixture.state(customer.account)
            try await fixture.withAPI(key) { api in
                let answer = try await api.call(
                    operation.method, operation.samplePath, body: operation.method == .post ? "{}" : nil)
                answer.expectProblem(403, "scope_missing")
                #expect(
                    answer.headers[.wwwAuthenticate]
                        == #"Bearer error="insufficient_scope", scope="\#(scope.rawValue)""#)
                guard operation.method == .get else { return }
                #expect(try await api.call(.head, operation.samplePath).status == 403)
            }
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test(arguments: scoped) func `its scope is enough for an operation`(
        _ operation: APIOperation, _ scope: Scope
    ) async throws {
        try await APIFixture.withCustomer { fixture, customer, _ in
            let key = try await fixture.key(of: customer, [scope.rawValue])
            try await fixture.withAPI(key) { api in
                let answer = try await api.call(
                    operation.method, operation.samplePath, body: operation.method == .post ? "{}" : nil)
                #expect(![401, 403, 500].contains(answer.status), "\(answer.text)")
            }
        }
    }

    // MARK: Networks

    @Test func `a key is refused from other networks`() async throws {
        try await APIFixture.withCustomer { fixture, customer, _ in
            let here = try await fixture.key(of: customer, ["*"], networks: ["127.0.0.0/8", "::1"])
            let elsewhere = try await fixture.key(of: customer, ["*"], networks: ["192.0.2.0/24"])
            try await fixture.withAPI(behind: APIExposure()) { api in
                #expect(try await API(client: api.client, key: here).get("/v1/credits").status == 200)
                let limited = API(client: api.client, key: elsewhere)
                try await limited.get("/v1/credits").expectProblem(403, "network_not_allowed")
                // Nobody has declared a proxy, so the field is a stranger's.
                try await limited.call(.get, "/v1/credits", headers: ["X-Forwarded-For": "192.0.2.1"])
                    .expectProblem(403, "network_not_allowed")
            }
            let proxies = try KeyTerms.networks(["127.0.0.0/8", "::1"])
            try await fixture.withAPI(behind: APIExposure(proxies: proxies)) { api in
                let limited = API(client: api.client, key: elsewhere)
                #expect(
                    try await limited.call(.get, "/v1/credits", headers: ["X-Forwarded-For": "192.0.2.1"]).status == 200
                )
                try await limited.call(.get, "/v1/credits", headers: ["X-Forwarded-For": "192.0.2.1, 198.51.100.1"])
                    .expectProblem(403, "network_not_allowed")
            }
        }
    }
}
