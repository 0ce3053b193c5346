import Campaigns
import CreditLedger
import HTTPTypes
import MailMessage
import MailTypes
import Postgres
import TestDatabases
import TestStores
import Testing
import Vault

@Suite struct CampaignRouteTests {
    @Test func `a campaign goes from draft to certificate`() async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let created = try await api.post(
                "/v1/campaigns",
                """
                {"from": "Shop <news@shop.example>", "subject": "Hello {{name|friend}}", "html": "<p>{{city}}</p>",
                 "text": null, "reply_to": ["Help <help@shop.example>"], "headers": {"X-Campaign": "spring"},
                 "attachments": [{"filename": "a.txt", "content": "SGVsbG8=", "content_type": "text/plain"}],
                 "in_doubt": "skip", "require_tls": true, "missing_variables": "empty", "expiry_seconds": 3600}
                """)
            #expect(created.status == 201, "\(created.text)")
            created.expectHeaders()
            let id = try #require(created.json["id"].string)
            #expect(created.headers[.location] == "/v1/campaigns/\(id)")
            #expect(created.headers[.contentType] == "application/json; charset=utf-8")
            #expect(created.json["state"] == "draft")
            #expect(created.json["in_doubt"] == "skip")
            #expect(created.json["require_tls"] == true)
            #expect(created.json["expiry_seconds"] == 3600)

            _ = try await api.post("/v1/suppressions", #"{"addresses": ["person1@example.org"]}"#)
            let upload = try await api.call(
                .post, "/v1/campaigns/\(id)/recipients?on_invalid=skip", body: API.lines(3) + API.lines(1) + "{}\n",
                type: "application/x-ndjson")
            #expect(upload.status == 200)
            #expect(upload.json["accepted"] == 3)
            #expect(upload.json["duplicates"] == 1)
            #expect(upload.json["suppressed"] == 1)
            #expect(upload.json["invalid"] == 1)
            #expect(upload.json["errors"][0]["line"] == 5)
            #expect(upload.json["errors"][0]["code"] == "email_missing")

            let quote = try await api.get("/v1/campaigns/\(id)/quote")
            #expect(quote.json["recipients"] == 3)
            #expect(quote.json["deliverable"] == 2)
            #expect(quote.json["suppressed"] == 1)
            #expect(quote.json["credits"] == 2)
            #expect(quote.json["available"] == 1_000)
            try await api.get("/v1/campaigns/\(id)/certificate").expectProblem(404, "not_purged_yet")

            let sent = try await api.post("/v1/campaigns/\(id)/send")
            #expect(sent.status == 202)
            #expect(sent.json["state"] == "queued")
            #expect(sent.json["credits"]["held"] == 2)
            #expect(try await api.get("/v1/credits").json["available"] == 998)

            let listed = try await api.get("/v1/campaigns/\(id)/recipients?outcome=pending")
            #expect(listed.json["data"].elements.map { $0["email"] } == ["person0@example.org", "person2@example.org"])
            #expect(listed.json["data"][0]["in_doubt_resent"] == false)
            let doubts = try await api.get("/v1/campaigns/\(id)/recipients?in_doubt=true")
            #expect(doubts.status == 200 && doubts.json["data"].elements.isEmpty)
            try await api.get("/v1/campaigns/\(id)/recipients?in_doubt=perhaps").expectProblem(422, "invalid_field")

            try await fixture.deliver(id, of: customer.account)
            let done = try await api.get("/v1/campaigns/\(id)")
            #expect(done.json["state"] == "completed")
            #expect(done.json["counters"]["delivered"] == 2)
            #expect(done.json["counters"]["suppressed"] == 1)
            #expect(done.json["credits"]["charged"] == 2)
            #expect(done.json["purged_at"] != nil)

            let certificate = try await api.get("/v1/campaigns/\(id)/certificate")
            #expect(certificate.status == 200)
            #expect(certificate.json["campaign"] == .text(id))
            let entries = try await api.get("/v1/credits/entries").json["data"].elements
            #expect(entries.first?["kind"] == "purge")
            #expect(entries.first?["digest"] == certificate.json["digest"])
            #expect(entries.map { $0["kind"].string } == ["purge", "settle", "reserve", "grant"])
            #expect(try await api.get("/v1/credits").json["posted"] == 998)

            try await api.get("/v1/campaigns/\(id)/recipients").expectProblem(410, "purged")
            try await api.get("/v1/campaigns/\(id)/quote").expectProblem(410, "purged")
        }
    }

    @Test func `outcomes can be read after the end, until their time is over`() async throws {
        try await APIFixture.withOwnDatabase(resultsFor: 3_600) { fixture, customer, api in
            let id = try await api.sent(3)
            #expect(try await api.get("/v1/campaigns/\(id)").json["results_until"] == nil)
            try await fixture.deliver(id, of: customer.account, outcome: .bounced)
            let ended = try await api.get("/v1/campaigns/\(id)")
            #expect(ended.json["state"] == "completed")
            #expect(ended.json["results_until"].string != nil && ended.json["purged_at"] == nil)
            let listed = try await api.get("/v1/campaigns/\(id)/recipients?outcome=bounced")
            #expect(listed.json["data"].elements.count == 3)
            #expect(listed.json["data"][0]["email"] == "person0@example.org")
            try await api.get("/v1/campaigns/\(id)/certificate").expectProblem(404, "not_purged_yet")
            try await fixture.records.owner.query("UPDATE campaigns SET results_until = clock_timestamp()")
            for (account, campaign) in try await fixture.store.unfinishedCompletions() {
                #expect(try await fixture.store.complete(account, campaign) != nil)
            }
            try await api.get("/v1/campaigns/\(id)/recipients").expectProblem(410, "purged")
            #expect(try await api.get("/v1/campaigns/\(id)/certificate").status == 200)
        }
    }

    /// As drafts hold that were made before the language was checked so closely.
    @Test func `content that is not taken any more is refused at the send`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let id = try await api.draft(2)
            let campaign = try #require(CampaignID(id))
            let key = try await fixture.vault.campaignKey(customer.account, campaign)
            let content = MessageContent(
                from: try Mailbox.parse("news@shop.example"), subject: "Hello",
                text: "{{#member}}yes{{else}}no{{/member}}")
            let sealed = try key.seal(
                content.encoded(), as: SealContext(account: customer.account, campaign: campaign, purpose: .content))
            try await fixture.records.owner.query(
                "UPDATE campaign_content SET sealed = \(sealed) WHERE campaign_id = \(campaign.rawValue)")
            let before = try await fixture.state(customer.account)
            let refused = try await api.post("/v1/campaigns/\(id)/send")
            refused.expectProblem(422, "unsupported_tag")
            #expect(refused.json["detail"].string?.contains("{{else}}") == true)
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test func `CSV takes the same way, and uploads add up`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let id = try await api.draft(2)
            let csv = "email,name,city\r\nada@example.org,\"Ada, Countess\",London\r\nperson0@example.org,,\r\n"
            let upload = try await api.upload(id, csv, type: "text/csv; charset=utf-8")
            #expect(upload.json["accepted"] == 1)
            #expect(upload.json["duplicates"] == 1)
            #expect(try await api.get("/v1/campaigns/\(id)").json["counters"]["recipients"] == 3)
        }
    }

    @Test func `too few credits are told with what is missing`() async throws {
        try await APIFixture.withCustomer(credits: 2) { fixture, customer, api in
            let id = try await api.draft(5)
            let before = try await fixture.state(customer.account)
            let answer = try await api.post("/v1/campaigns/\(id)/send", idempotencyKey: "s")
            answer.expectProblem(402, "insufficient_credits")
            #expect(answer.json["missing"] == 3)
            #expect(answer.json["available"] == 2)
            #expect(try await fixture.state(customer.account) == before)
            // With the credits bought, the same request under the same key succeeds.
            try await fixture.grant(3, to: customer.account, key: "more")
            #expect(try await api.post("/v1/campaigns/\(id)/send", idempotencyKey: "s").status == 202)
        }
    }

    @Test func `a campaign can be scheduled`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let id = try await api.draft(1)
            let answer = try await api.post(
                "/v1/campaigns/\(id)/send", #"{"scheduled_at": "\#(Self.tomorrow())"}"#)
            #expect(answer.status == 202)
            #expect(answer.json["state"] == "scheduled")
            #expect(answer.json["scheduled_at"] == .text(Self.tomorrow()))
        }
    }

    /// The same all through a test.
    static func tomorrow() -> String { day }
    private static let day = Clock.text(after: 86_400)

    @Test(arguments: [
        (#"{"scheduled_at": "tomorrow"}"#, "invalid_field"), (#"{"scheduled_at": 5}"#, "invalid_field"),
        (#"{"scheduled_at": "9999-01-01T00:00:00Z"}"#, "invalid_field"), (#"{"when": "now"}"#, "unknown_field"),
        (#"{"scheduled_at": "2026-13-45T99:99:99Z"}"#, "invalid_field"), ("[]", "invalid_field"),
        (#"{"scheduled_at": "2020-02-29T12:00:00.5+02:00"}"#, "invalid_field"),
        (#"{"scheduled_at": "1970-01-01T00:00:00Z"}"#, "invalid_field"),
        (#"{"missing_variables": "perhaps"}"#, "invalid_field"),
    ])
    func `a wrong schedule is refused`(_ body: String, _ code: String) async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let id = try await api.draft(1)
            let before = try await fixture.state(customer.account)
            try await api.post("/v1/campaigns/\(id)/send", body).expectProblem(422, code)
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test func `a time that has just passed means now`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let id = try await api.draft(1)
            let answer = try await api.post(
                "/v1/campaigns/\(id)/send", #"{"scheduled_at": "\#(Clock.text(after: -5))"}"#)
            #expect(answer.status == 202)
            #expect(answer.json["state"] == "queued")
        }
    }

    @Test func `pause, resume and cancel move the campaign, and cancelling gives the credits back`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let id = try await api.sent(4)
            let paused = try await api.post("/v1/campaigns/\(id)/pause")
            #expect((paused.status, paused.json["state"].string) == (200, "paused"))
            let resumed = try await api.post("/v1/campaigns/\(id)/resume")
            #expect((resumed.status, resumed.json["state"].string) == (200, "sending"))
            let cancelled = try await api.post("/v1/campaigns/\(id)/cancel")
            #expect((cancelled.status, cancelled.json["state"].string) == (200, "cancelled"))
            #expect(cancelled.json["counters"]["cancelled"] == 4)
            #expect(cancelled.json["credits"]["released"] == 4)
            #expect(try await api.get("/v1/credits").json["held"] == 0)
        }
    }

    /// What is refused in which state.
    @Test(arguments: [
        ("draft", ["pause", "resume"]), ("queued", ["send", "resume", "recipients"]),
        ("paused", ["send", "pause", "recipients"]),
        ("cancelled", ["send", "pause", "resume", "cancel", "recipients"]),
        ("completed", ["send", "pause", "resume", "cancel", "recipients"]),
    ])
    func `an illegal transition is a conflict and changes nothing`(_ state: String, _ calls: [String]) async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let id = try await api.draft(2)
            if state != "draft" { _ = try await api.post("/v1/campaigns/\(id)/send") }
            switch state {
            case "paused": _ = try await api.post("/v1/campaigns/\(id)/pause")
            case "cancelled": _ = try await api.post("/v1/campaigns/\(id)/cancel")
            case "completed": try await fixture.deliver(id, of: customer.account)
            default: break
            }
            #expect(try await api.get("/v1/campaigns/\(id)").json["state"] == .text(state))
            let before = try await fixture.state(customer.account)
            for call in calls {
                let answer =
                    call == "recipients"
                    ? try await api.upload(id, API.lines(1, from: 50))
                    : try await api.post("/v1/campaigns/\(id)/\(call)", idempotencyKey: "t")
                answer.expectProblem(409, "illegal_transition")
            }
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test func `a campaign keeps its rate, and takes no more recipients than that reaches`() async throws {
        try await APIFixture.withOwnDatabase { _, _, api in
            let created = try await api.post(
                "/v1/campaigns",
                """
                {"from": "news@shop.example", "subject": "Hello", "text": "Hello", "expiry_seconds": 7200,
                 "rate_per_hour": 2}
                """)
            #expect(created.json["rate_per_hour"] == 2)
            let id = try #require(created.json["id"].string)
            try await api.upload(id, API.lines(5)).expectProblem(422, "invalid_setting")
            #expect(try await api.get("/v1/campaigns/\(id)").json["counters"]["recipients"] == 0)
            #expect(try await api.upload(id, API.lines(4)).json["accepted"] == 4)
            let sent = try await api.post("/v1/campaigns/\(id)/send")
            #expect(sent.json["rate_per_hour"] == 2)
        }
    }
}
