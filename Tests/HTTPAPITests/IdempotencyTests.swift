import CreditLedger
import HTTPTypes
import Testing

@Suite struct IdempotencyTests {
    /// A call, and another body for it.
    struct Call: Sendable, CustomTestStringConvertible {
        let name: String
        var path: String
        var type = "application/json"
        let body: String
        let other: String
        let status: Int
        var testDescription: String { name }
    }

    static let calls = [
        Call(
            name: "create", path: "/v1/campaigns", body: API.draft,
            other: #"{"from": "news@shop.example", "subject": "Other", "text": "Other"}"#, status: 201),
        Call(
            name: "upload", path: "/v1/campaigns/ID/recipients", type: "application/x-ndjson", body: API.lines(3),
            other: API.lines(4), status: 200),
        Call(
            name: "send", path: "/v1/campaigns/ID/send", body: "",
            other: #"{"scheduled_at": "2020-01-01T00:00:00Z"}"#, status: 202),
        Call(
            name: "suppressions", path: "/v1/suppressions", body: #"{"addresses": ["x@example.org"]}"#,
            other: #"{"addresses": ["y@example.org"]}"#, status: 200),
        Call(
            name: "domains", path: "/v1/domains", body: #"{"domain": "first.example"}"#,
            other: #"{"domain": "second.example"}"#, status: 201),
        Call(
            name: "webhooks", path: "/v1/webhooks", body: #"{"url": "https://hooks.example.org/"}"#,
            other: #"{"url": "https://other.example.org/"}"#, status: 201),
    ]

    @Test(arguments: calls) func `a repeated request takes effect once and gives the same answer`(_ call: Call)
        async throws
    {
        try await APIFixture.withCustomer { fixture, customer, api in
            var call = call
            call.path = call.path.replacing("ID", with: try await api.draft(call.name == "send" ? 2 : 0))
            func request(_ body: String, key: String?) async throws -> Answer {
                try await api.call(.post, call.path, body: body, type: call.type, idempotencyKey: key)
            }
            let first = try await request(call.body, key: "key-1")
            #expect(first.status == call.status, "\(first.text)")
            #expect(!first.isReplayed)
            let after = try await fixture.state(customer.account)
            #expect(try await fixture.count("idempotency_keys", customer.account) == 1)

            let second = try await request(call.body, key: "key-1")
            #expect(second.status == call.status)
            #expect(second.isReplayed)
            #expect(second.text == first.text)
            #expect(second.headers[.location] == first.headers[.location])

            try await request(call.other, key: "key-1").expectProblem(422, "idempotency_conflict")
            #expect(try await fixture.state(customer.account) == after)
        }
    }

    @Test(arguments: ["pause", "resume", "cancel"]) func `steering can be repeated`(_ action: String) async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let id = try await api.sent(2)
            if action == "resume" { _ = try await api.post("/v1/campaigns/\(id)/pause") }
            let first = try await api.post("/v1/campaigns/\(id)/\(action)", idempotencyKey: "k")
            #expect(first.status == 200)
            let after = try await fixture.state(customer.account)
            let second = try await api.post("/v1/campaigns/\(id)/\(action)", idempotencyKey: "k")
            #expect((second.status, second.isReplayed, second.text) == (200, true, first.text))
            // Without the key it is a second attempt, and too late.
            try await api.post("/v1/campaigns/\(id)/\(action)").expectProblem(409, "illegal_transition")
            #expect(try await fixture.state(customer.account) == after)
        }
    }

    @Test func `simultaneous repetitions take effect once and all get the answer`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let id = try await api.draft(3)
            for (path, body, status) in [
                ("/v1/campaigns", API.draft, 201), ("/v1/campaigns/\(id)/send", "", 202),
                ("/v1/domains", #"{"domain": "race.example"}"#, 201),
                ("/v1/suppressions", #"{"addresses": ["r@example.org"]}"#, 200),
            ] {
                let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
                    for _ in 0..<6 {
                        group.addTask { try await api.post(path, body, idempotencyKey: "race") }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(answers.allSatisfy { $0.status == status }, "\(path) \(answers.map(\.text))")
                #expect(Set(answers.map(\.text)).count == 1)
                #expect(answers.count { !$0.isReplayed } == 1)
            }
            #expect(try await fixture.count("campaigns", customer.account) == 2)
            #expect(try await fixture.balance(customer.account).held == 3)
        }
    }

    @Test func `the same bytes in another format are another request`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let id = try await api.draft()
            let path = "/v1/campaigns/\(id)/recipients"
            let bytes = "email\na@example.org\n"
            let first = try await api.call(.post, path, body: bytes, type: "text/csv", idempotencyKey: "k")
            #expect(first.json["accepted"] == 1)
            try await api.call(.post, path, body: bytes, type: "application/x-ndjson", idempotencyKey: "k")
                .expectProblem(422, "idempotency_conflict")
        }
    }

    @Test func `keys count for one account and one address`() async throws {
        try await APIFixture.withCustomer { fixture, _, api in
            let first = try await api.post("/v1/campaigns", API.draft, idempotencyKey: "k")
            #expect(try await api.post("/v1/suppressions", #"{"addresses": []}"#, idempotencyKey: "k").status == 200)
            let other = try await fixture.customer()
            try await fixture.withAPI(other.key) { api in
                let answer = try await api.post("/v1/campaigns", API.draft, idempotencyKey: "k")
                #expect(answer.status == 201)
                #expect(!answer.isReplayed)
                #expect(answer.json["id"] != first.json["id"])
            }
        }
    }

    @Test func `however a path is written it is one operation`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let first = try await api.post("/v1/campaigns", API.draft, idempotencyKey: "k")
            for path in ["/v1/campaigns/", "//v1/campaigns", "/v1//campaigns", "/v1/campaigns?x=1"] {
                let again = try await api.post(path, API.draft, idempotencyKey: "k")
                #expect((again.status, again.isReplayed, again.text) == (201, true, first.text), "\(path)")
            }
            #expect(try await fixture.count("campaigns", customer.account) == 1)
            let id = try await api.draft(2)
            let sent = try await api.post("/v1/campaigns/\(id)/send", idempotencyKey: "k")
            for path in ["/v1/campaigns/\(id)/send/", "/v1/campaigns/\(id.replacing("_", with: "%5F"))/send"] {
                let again = try await api.post(path, idempotencyKey: "k")
                #expect((again.isReplayed, again.text) == (true, sent.text), "\(path)")
            }
            // Another resource under the same key is another operation.
            let other = try await api.draft(1)
            #expect(try await !api.post("/v1/campaigns/\(other)/send", idempotencyKey: "k").isReplayed)
        }
    }

    @Test(arguments: ["", "two words", String(repeating: "k", count: 256), "käse"])
    func `a malformed key is refused`(_ key: String) async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let before = try await fixture.state(customer.account)
            try await api.post("/v1/campaigns", API.draft, idempotencyKey: key)
                .expectProblem(400, "invalid_idempotency_key")
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test func `a refusal is not kept`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let id = try await api.draft()
            try await api.post("/v1/campaigns/\(id)/send", idempotencyKey: "k").expectProblem(409, "no_recipients")
            _ = try await api.upload(id, API.lines(1))
            let answer = try await api.post("/v1/campaigns/\(id)/send", idempotencyKey: "k")
            #expect((answer.status, answer.isReplayed) == (202, false))
        }
    }
}
