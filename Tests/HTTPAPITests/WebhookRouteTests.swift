import HTTPTypes
import MailTypes
import Postgres
import TestDatabases
import TestStores
import Testing

/// Webhooks over HTTP.
@Suite struct WebhookRouteTests {
    private static let body =
        #"{"url": "https://hooks.example.org/in", "events": ["message.bounced", "campaign.completed"]}"#

    @Test func `a webhook is made, shown, changed and removed, and its secret is shown once`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let made = try await api.post("/v1/webhooks", Self.body)
            #expect(made.status == 201)
            let id = try #require(made.json["id"].string)
            #expect(made.json["secret"].string?.hasPrefix("whsec_") == true)
            #expect(made.json["state"] == "active" && made.json["batch_size"] == 100)
            let shown = try await api.get("/v1/webhooks/\(id)")
            #expect(shown.status == 200 && !shown.text.contains("whsec_"))
            #expect(shown.json["url"] == "https://hooks.example.org/in")
            #expect(shown.json["events"][0] == "message.bounced" && shown.json["events"][1] == "campaign.completed")
            #expect(try await api.get("/v1/webhooks").json["data"][0]["id"].string == id)

            let changed = try await api.call(
                .patch, "/v1/webhooks/\(id)",
                body: #"{"state": "disabled", "batch_size": 1, "description": "ours", "events": ["credits.low"]}"#)
            #expect(changed.status == 200)
            #expect(changed.json["state"] == "disabled" && changed.json["batch_size"] == 1)
            #expect(changed.json["disabled_reason"] == "by its owner" && changed.json["description"] == "ours")
            try await api.post("/v1/webhooks/\(id)/test").expectProblem(409, "webhook_disabled")
            let enabled = try await api.call(.patch, "/v1/webhooks/\(id)", body: #"{"state": "active"}"#)
            #expect(enabled.json["state"] == "active" && enabled.json["batch_size"] == 1)
            let test = try await api.post("/v1/webhooks/\(id)/test")
            #expect(test.status == 202 && test.json["event"].string?.hasPrefix("evt_") == true)
            #expect(try await api.get("/v1/webhooks/\(id)/attempts").json["next"] == nil)

            let rotated = try await api.post("/v1/webhooks/\(id)/rotate", #"{"overlap_seconds": 60}"#)
            #expect(rotated.status == 200 && rotated.json["secret"].string != made.json["secret"].string)
            #expect(rotated.json["previous_secret_until"].string != nil)
            #expect(try await api.delete("/v1/webhooks/\(id)").status == 204)
            try await api.get("/v1/webhooks/\(id)").expectProblem(404, "not_found")
            try await api.delete("/v1/webhooks/\(id)").expectProblem(404, "not_found")
        }
    }

    @Test func `a secret is in no stored answer`() async throws {
        try await APIFixture.withOwnDatabase { fixture, _, api in
            let made = try await api.post("/v1/webhooks", Self.body, idempotencyKey: "k1")
            let again = try await api.post("/v1/webhooks", Self.body, idempotencyKey: "k1")
            #expect(again.isReplayed && again.text == made.text && again.text.contains("whsec_"))
            let path = "/v1/webhooks/" + (made.json["id"].string ?? "") + "/rotate"
            let rotated = try await api.post(path, "{}", idempotencyKey: "k2")
            let repeated = try await api.post(path, "{}", idempotencyKey: "k2")
            #expect(repeated.isReplayed && repeated.json["secret"].string == rotated.json["secret"].string)
            let stored = try await fixture.records.pool.query("SELECT body FROM idempotency_keys").map {
                String(decoding: try $0.decode([UInt8].self), as: UTF8.self)
            }
            #expect(stored.count == 2)
            #expect(stored.allSatisfy { !$0.contains("whsec_") && !$0.contains("hooks.example.org") })
        }
    }

    @Test(arguments: [
        (#"{}"#, "missing_field"),
        (#"{"url": "http://hooks.example.org/"}"#, "invalid_url"),
        (#"{"url": "https://169.254.169.254/latest"}"#, "private_destination"),
        (#"{"url": "https://localhost/"}"#, "private_destination"),
        (#"{"url": "https://hooks.example.org/", "events": []}"#, "invalid_events"),
        (#"{"url": "https://hooks.example.org/", "events": ["message.opened"]}"#, "invalid_events"),
        (#"{"url": "https://hooks.example.org/", "batch_size": 0}"#, "invalid_batch_size"),
        (#"{"url": "https://hooks.example.org/", "batch_size": 101}"#, "invalid_batch_size"),
        (#"{"url": "https://hooks.example.org/", "description": "a\u0000b"}"#, "invalid_description"),
        (#"{"url": "https://hooks.example.org/", "secret": "mine"}"#, "unknown_field"),
    ])
    func `what cannot be a webhook is refused`(body: String, code: String) async throws {
        try await APIFixture.withCustomer { _, _, api in
            try await api.post("/v1/webhooks", body).expectProblem(422, code)
            #expect(try await api.get("/v1/webhooks").json["data"].elements.isEmpty)
        }
    }

    @Test func `another account's webhook does not exist`() async throws {
        let fixture = try await APIFixture.shared()
        let (owner, stranger) = (try await fixture.customer(), try await fixture.customer())
        try await fixture.withAPI(owner.key) { api in
            let id = try #require(try await api.post("/v1/webhooks", Self.body).json["id"].string)
            let other = API(client: api.client, key: stranger.key)
            try await other.get("/v1/webhooks/\(id)").expectProblem(404, "not_found")
            try await other.get("/v1/webhooks/\(id)/attempts").expectProblem(404, "not_found")
            try await other.call(.patch, "/v1/webhooks/\(id)", body: "{}").expectProblem(404, "not_found")
            try await other.delete("/v1/webhooks/\(id)").expectProblem(404, "not_found")
            for action in ["rotate", "test"] {
                try await other.post("/v1/webhooks/\(id)/\(action)").expectProblem(404, "not_found")
            }
            try await other.post("/v1/webhooks/\(id)/replay", #"{"since": "2026-01-01T00:00:00Z"}"#)
                .expectProblem(404, "not_found")
            #expect(try await api.get("/v1/webhooks/\(id)").json["state"] == "active")
            #expect(try await other.get("/v1/webhooks").json["data"].elements.isEmpty)
        }
    }

    @Test func `a replay names an event or a time, and finds what is kept`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let id = try #require(try await api.post("/v1/webhooks", Self.body).json["id"].string)
            let path = "/v1/webhooks/\(id)/replay"
            try await api.post(path, "{}").expectProblem(422, "invalid_field")
            try await api.post(path, #"{"since": "yesterday"}"#).expectProblem(422, "invalid_field")
            try await api.post(path, #"{"event": "evt_1_1", "since": "2026-01-01T00:00:00Z"}"#)
                .expectProblem(422, "invalid_field")
            try await api.post(path, #"{"event": "evt_0000000000001_0"}"#).expectProblem(404, "event_not_found")
            let replayed = try await api.post(path, #"{"since": "2026-01-01T00:00:00Z"}"#)
            #expect(replayed.status == 202 && replayed.json["queued"] == 0)
        }
    }
}
