import HTTPAPI
import HTTPTypes
import Identity
import MailTypes
import Postgres
import TestDatabases
import Testing

/// Test keys: what is live and what is test does not see each other (decision 0125).
@Suite struct TestKeyTests {
    private static let all = #"{"name": "trial", "scopes": ["*"], "test": true}"#

    /// A customer with its API by a live key and by a test key, and a sending domain on both sides.
    private static func withBoth(
        _ body: @Sendable (APIFixture, Customer, _ live: API, _ test: API) async throws -> Void
    ) async throws {
        try await APIFixture.withCustomer { fixture, customer, live in
            let made = try await live.post("/v1/keys", all)
            #expect(made.status == 201, "\(made.text)")
            let key = try #require(made.json["key"].string)
            try await fixture.withAPI(key) { test in
                let added = try await test.post("/v1/domains", #"{"domain": "shop.example"}"#)
                #expect(added.status == 201, "\(added.text)")
                try await body(fixture, customer, live, test)
            }
        }
    }

    @Test func `a test key says what it is, and opens the test account`() async throws {
        try await Self.withBoth { fixture, customer, live, test in
            #expect(test.key?.hasPrefix("sl_test_") == true && live.key?.hasPrefix("sl_live_") == true)
            #expect(try await fixture.count("api_keys", customer.account.test) == 1)
            let credits = try await test.get("/v1/credits")
            #expect(credits.json["posted"] == 0 && credits.json["available"] == 0)
            #expect(try await live.get("/v1/credits").json["available"] == 1_000)
        }
    }

    @Test func `a test campaign takes the whole way without a proof and without credits`() async throws {
        try await Self.withBoth { fixture, customer, live, test in
            let draft = try await test.post("/v1/campaigns", API.draft)
            #expect(draft.status == 201 && draft.json["test"] == true, "\(draft.text)")
            let id = try #require(draft.json["id"].string)
            // More than the account could pay for.
            #expect(try await test.upload(id, API.lines(2_000)).status == 200)
            #expect(try await test.get("/v1/campaigns/\(id)/quote").json["credits"] == 0)
            let sent = try await test.post("/v1/campaigns/\(id)/send")
            #expect(sent.status == 202 && sent.json["credits"]["held"] == 0, "\(sent.text)")
            #expect(try await test.get("/v1/campaigns").json["data"][0]["test"] == true)
            #expect(try await test.post("/v1/campaigns/\(id)/cancel").json["state"] == "cancelled")
            #expect(try await fixture.count("ledger_entries", customer.account.test) == 0)
            #expect(try await fixture.count("holds", customer.account.test) == 0)
            #expect(try await live.post("/v1/campaigns", API.draft).json["test"] == false)
        }
    }

    @Test func `what is live and what is test are 404 to each other`() async throws {
        try await Self.withBoth { fixture, customer, live, test in
            for (here, there) in [(live, test), (test, live)] {
                let id = try await here.draft(1)
                for path in ["", "/recipients", "/quote", "/events", "/outcomes", "/certificate"] {
                    #expect(try await there.get("/v1/campaigns/\(id)\(path)").status == 404, "\(path)")
                }
                for path in ["/send", "/pause", "/resume", "/cancel"] {
                    #expect(try await there.post("/v1/campaigns/\(id)\(path)").status == 404, "\(path)")
                }
                #expect(try await there.delete("/v1/campaigns/\(id)").status == 404)
                #expect(try await there.upload(id, API.lines(1)).status == 404)
                #expect(try await here.get("/v1/campaigns/\(id)").json["state"] == "draft")
                #expect(try await !there.get("/v1/campaigns").text.contains(id))
                _ = try await here.post("/v1/suppressions", #"{"addresses": ["gone@example.org"]}"#)
                let list = "/v1/suppressions?address=gone@example.org"
                #expect(try await here.get(list).json["data"].elements.count == 1)
                #expect(try await there.get(list).json["data"].elements.isEmpty)
                #expect(try await here.delete("/v1/suppressions/gone@example.org").status == 204)
                let hook = try await here.post("/v1/webhooks", #"{"url": "https://hooks.example.org/x"}"#)
                let hookID = try #require(hook.json["id"].string, "\(hook.text)")
                #expect(try await there.get("/v1/webhooks/\(hookID)").status == 404)
            }
            #expect(try await live.delete("/v1/domains/shop.example").status == 409, "its draft is there")
        }
    }

    /// Its own name server is asked for nothing: the examiner of this fixture has none that answers.
    @Test func `a test domain is never proven, and takes none from its owner`() async throws {
        try await Self.withBoth { fixture, customer, _, test in
            let verified = try await test.post("/v1/domains/shop.example/verify")
            #expect(verified.status == 200 && verified.json["state"] == "pending", "\(verified.text)")
            let waits = try await fixture.records.owner.query(
                "SELECT next_check_at = 'infinity' FROM domains WHERE account_id = \(customer.account.test.rawValue)"
            ).only.decode(Bool.self)
            #expect(waits)
            #expect(try await fixture.count("domain_owners", customer.account.test) == 0)
        }
    }

    // MARK: Keys

    @Test func `live callers look after test keys, and test keys after none that is live`() async throws {
        try await Self.withBoth { fixture, customer, live, test in
            let listed = try await live.get("/v1/keys?test=true")
            #expect(listed.json["data"].elements.count == 1 && listed.json["data"][0]["test"] == true)
            let id = try #require(listed.json["data"][0]["id"].string)
            let own = try await live.get("/v1/keys")
            #expect(own.json["data"].elements.count == 1 && own.json["data"][0]["test"] == false)
            #expect(try await live.get("/v1/keys?test=false").json["data"] == own.json["data"])
            try await live.get("/v1/keys?test=1").expectProblem(422, "invalid_field")
            #expect(try await live.get("/v1/keys/\(id)").json["test"] == true)

            for path in ["/v1/keys", "/v1/keys?test=false", "/v1/keys?test=true"] {
                #expect(try await test.get(path).json["data"] == listed.json["data"])
            }
            #expect(try await test.get("/v1/keys/\(customer.keyID)").status == 404)
            #expect(try await test.delete("/v1/keys/\(customer.keyID)").status == 404)
            try await test.post("/v1/keys", #"{"name": "n", "scopes": ["*"], "test": false}"#)
                .expectProblem(403, "exceeds_own_key")
            let further = try await test.post("/v1/keys", #"{"name": "n", "scopes": ["*"]}"#)
            #expect(further.json["key"].string?.hasPrefix("sl_test_") == true, "\(further.text)")
            #expect(try await fixture.count("api_keys", customer.account) == 1)

            #expect(try await live.delete("/v1/keys/\(id)").status == 204)
            try await test.get("/v1/credits").expectProblem(401, "unauthorized")
        }
    }

    @Test func `test keys of others do not exist either`() async throws {
        try await Self.withBoth { fixture, customer, live, _ in
            let id = try #require(try await live.get("/v1/keys?test=true").json["data"][0]["id"].string)
            let stranger = try await fixture.customer()
            try await fixture.withAPI(stranger.key) { api in
                try await api.get("/v1/keys/\(id)").expectProblem(404, "api_key_not_found")
                try await api.delete("/v1/keys/\(id)").expectProblem(404, "api_key_not_found")
                #expect(try await api.get("/v1/keys?test=true").json["data"].elements.isEmpty)
            }
        }
    }

    @Test func `a key hands on no more as a test key either, and not once it is revoked`() async throws {
        try await APIFixture.withCustomer { fixture, customer, _ in
            let maker = try await fixture.key(of: customer, ["keys:write", "campaigns:read"])
            try await fixture.withAPI(maker) { api in
                try await api.post("/v1/keys", Self.all).expectProblem(403, "exceeds_own_key")
                let made = try await api.post(
                    "/v1/keys", #"{"name": "n", "scopes": ["campaigns:read"], "test": true}"#, idempotencyKey: "k")
                #expect(made.status == 201, "\(made.text)")
                let again = try await api.post(
                    "/v1/keys", #"{"name": "n", "scopes": ["campaigns:read"], "test": true}"#, idempotencyKey: "k")
                #expect(again.isReplayed && again.json["id"] == made.json["id"] && again.json["key"] == .null)
            }
            #expect(try await fixture.count("api_keys", customer.account.test) == 1)
        }
    }

    @Test func `an owner who has signed in makes a test key, and sees what is live`() async throws {
        try await APIFixture.withOwner { fixture, customer, browser in
            let made = try await browser.call(.post, "/v1/keys", Self.all)
            #expect(made.status == 201 && made.json["test"] == true, "\(made.text)")
            #expect(try await browser.get("/v1/keys?test=true").json["data"].elements.count == 1)
            #expect(try await browser.get("/v1/credits").json["available"] == 1_000)
        }
    }

    /// Whatever a row says: what begins with `sl_test_` stands for no live account, and the other way round.
    @Test func `a key stands for the kind of account that it names`() async throws {
        try await Self.withBoth { fixture, customer, live, test in
            for (from, to) in [(customer.account.test, customer.account), (customer.account, customer.account.test)] {
                try await fixture.records.owner.query(
                    """
                    WITH moved AS (
                        UPDATE api_key_hashes SET account_id = \(to.rawValue)
                        WHERE account_id = \(from.rawValue) RETURNING key_id)
                    INSERT INTO api_keys (account_id, key_id, name, mode, display_prefix)
                    SELECT \(to.rawValue), key_id, 'moved', 'live', 'sl_live_0000' FROM moved
                    """)
                let services = fixture.services
                let fresh = APIKeys(pool: fixture.records.pool, cacheSeconds: 0, limits: services.limits)
                let moved = try #require(from.isTest ? test.key : live.key)
                #expect(try await fresh.authenticate(moved) == nil)
                // Back, for the other one.
                try await fixture.records.owner.query(
                    "DELETE FROM api_keys WHERE account_id = \(to.rawValue) AND name = 'moved'")
                try await fixture.records.owner.query(
                    """
                    UPDATE api_key_hashes h SET account_id = \(from.rawValue) FROM api_keys k
                    WHERE k.account_id = \(from.rawValue) AND k.key_id = h.key_id
                    """)
                #expect(try await fresh.authenticate(moved)?.account == from)
            }
        }
    }
}
