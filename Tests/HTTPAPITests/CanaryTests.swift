import HTTPAPI
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Identity
import Logging
import MailTypes
import Postgres
import TestDatabases
import TestSupport
import Testing

/// Secrets and personal data are planted in everything that a customer can send; then all routes are walked, and what was
/// logged or answered is searched for them.
@Suite struct CanaryTests {
    /// What must show nowhere but where it is asked for.
    private enum Planted {
        static let recipient = "canary-recipient"
        static let name = "Canary Nameson"
        static let variable = "canary-variable"
        static let subject = "Canary-Subject"
        static let body = "canary-body"
        static let suppressed = "canary-suppressed"
        static let note = "canary-note"
        static let webhookPath = "canary-webhook-path"
        static let query = "canary-query"

        static let all = [
            recipient, name, variable, subject, body, suppressed, note, webhookPath, query,
            "-----BEGIN PRIVATE KEY-----",
        ]
    }

    /// Operations whose purpose it is to give back what the account itself has put in, and what of it they give.
    private static let givesBack: [APIOperation: [String]] = [
        .listRecipients: [Planted.recipient], .streamOutcomes: [Planted.recipient],
        .createCampaign: [Planted.subject], .getCampaign: [Planted.subject], .listCampaigns: [Planted.subject],
        .listSuppressions: [Planted.suppressed, Planted.note], .exportSuppressions: [Planted.suppressed, Planted.note],
        .addWebhook: [Planted.webhookPath], .getWebhook: [Planted.webhookPath], .listWebhooks: [Planted.webhookPath],
        .changeWebhook: [Planted.webhookPath], .rotateWebhookSecret: [Planted.webhookPath],
    ]

    private static let bodies: [APIOperation: String] = [
        .createCampaign: #"""
        {"from": "\#(Planted.name) <news@shop.example>", "subject": "\#(Planted.subject)",
            "text": "\#(Planted.body) {{v}}", "html": "<p>\#(Planted.body)</p>"}
        """#,
        .addRecipients:
            #"{"email": "\#(Planted.recipient)@example.org", "name": "\#(Planted.name)", "vars": {"v": "\#(Planted.variable)"}}"#,
        .addSuppressions: #"{"addresses": ["\#(Planted.suppressed)@example.org"], "note": "\#(Planted.note)"}"#,
        .importSuppressions: "email\n\(Planted.suppressed)-2@example.org\n",
        .addWebhook: #"{"url": "https://hooks.example.org/\#(Planted.webhookPath)"}"#,
        .changeWebhook: #"{"url": "https://hooks.example.org/\#(Planted.webhookPath)"}"#,
        .createKey: #"{"name": "n", "scopes": ["credits:read"]}"#,
        .addDomain: #"{"domain": "canary.example"}"#,
        .reportFeedback: #"{"events": [{"email": "\#(Planted.recipient)@example.org"}]}"#,
        .replayWebhook: #"{"since": "2026-01-01T00:00:00Z"}"#,
        .signUp:
            #"{"email": "\#(Planted.recipient)@example.org", "password": "\#(Planted.body) 42", "account": "\#(Planted.name)"}"#,
    ]

    /// Bodies that are refused, with the plants where they are wrong.
    private static let refused = [
        #"{"from": "\#(Planted.recipient)@@example.org", "subject": "\#(Planted.subject)\n", "text": "{{\#(Planted.body)"}"#,
        #"{"\#(Planted.body)": 1"#, #"{"member": "\#(Planted.recipient) \#(Planted.subject)"}"#,
        #"{"addresses": ["\#(Planted.suppressed) @example.org"], "note": "\#(Planted.note)\u0000"}"#,
        #"{"domain": "\#(Planted.recipient)@example.org"}"#,
        #"{"domain": "canary2.example", "private_key": "-----BEGIN PRIVATE KEY-----\ncanary-body\n-----END PRIVATE KEY-----"}"#,
        #"{"url": "http://10.0.0.1/\#(Planted.webhookPath)", "description": "\#(Planted.note)"}"#,
        #"{"name": "\#(Planted.name)\u0007", "scopes": ["\#(Planted.query)"], "networks": ["\#(Planted.query)"]}"#,
        "email,name\n\(Planted.recipient),\(Planted.name)\n\"\(Planted.variable)",
    ]

    /// The path with what the account has.
    private static func path(_ operation: APIOperation, _ known: [String: String]) -> String {
        known.reduce(operation.samplePath) { $0.replacing($1.key, with: $1.value) }
    }

    private static func expectNothing(
        planted: [String], in text: String, _ place: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for word in planted where text.contains(word) {
            Issue.record("\(word) shows in \(place)", sourceLocation: sourceLocation)
        }
    }

    @Test func `nothing that was planted is logged, or answered where nobody asked for it`() async throws {
        try await APIFixture.withCustomer { fixture, customer, _ in
            let log = CapturedLog()
            log.logger.trace("the walk begins")
            let application = Application(router: APIServer.router(fixture.services), logger: log.logger)
            let secrets = try await application.test(.router) { client -> [String] in
                var secrets = [String(customer.key.dropFirst(12))]
                let api = API(client: client, key: customer.key)
                let known = try await Self.plant(api, &secrets)
                var walked: Set<APIOperation> = []
                // What destroys comes last.
                let order = APIOperation.allCases.sorted {
                    ($0.method == .delete ? 1 : 0) < ($1.method == .delete ? 1 : 0)
                }
                for operation in order {
                    let path = Self.path(operation, known) + "?unknown=\(Planted.query)"
                    let type = operation == .addRecipients ? "application/x-ndjson" : "application/json"
                    let answer = try await api.call(
                        operation.method, path, body: operation.method == .get ? nil : Self.bodies[operation] ?? "",
                        type: type, headers: ["X-Canary": Planted.query])
                    #expect(answer.status < 500, "\(operation): \(answer.text)")
                    var allowed = Set(Self.givesBack[operation] ?? [])
                    if operation == .createKey, let key = answer.json["key"].string {
                        #expect(answer.text.ranges(of: key.dropFirst(12)).count == 1)
                        secrets.append(String(key.dropFirst(12)))
                    }
                    if [.addWebhook, .rotateWebhookSecret].contains(operation) {
                        let secret = try #require(answer.json["secret"].string)
                        secrets.append(secret)
                        allowed.insert(secret)
                    }
                    let shown = operation == .createKey ? secrets.dropLast() : secrets[...]
                    Self.expectNothing(
                        planted: (Planted.all + shown).filter { !allowed.contains($0) }, in: answer.text,
                        "the answer to \(operation)")
                    walked.insert(operation)
                    guard operation.method != .get else { continue }
                    for body in Self.refused {
                        let answer = try await api.call(operation.method, path, body: body, type: type)
                        Self.expectNothing(
                            planted: (Planted.all + secrets).filter { !allowed.contains($0) }, in: answer.text,
                            "the refusal of \(operation)")
                    }
                }
                #expect(walked == Set(APIOperation.allCases))
                for header in ["Bearer \(customer.key)x", "Basic \(Planted.query)", customer.key] {
                    let answer = try await api.call(.get, "/v1/credits", headers: ["Authorization": header])
                    Self.expectNothing(planted: Planted.all + secrets, in: answer.text, "a refused key")
                }
                return secrets
            }
            #expect(log.text.contains("the walk begins"), "nothing is captured, so nothing is searched")
            Self.expectNothing(planted: Planted.all + secrets, in: log.text, "the log")
        }
    }

    /// Something of each kind, with the plants in it; what the paths need.
    private static func plant(_ api: API, _ secrets: inout [String]) async throws -> [String: String] {
        let campaign = try #require(
            try await api.post("/v1/campaigns", bodies[.createCampaign]).json["id"].string)
        let upload = try await api.upload(campaign, bodies[.addRecipients] ?? "")
        #expect(upload.status == 200, "\(upload.text)")
        let webhook = try await api.post("/v1/webhooks", bodies[.addWebhook]).json
        secrets.append(try #require(webhook["secret"].string))
        return [
            "cmp_0000000000000": campaign, "whk_0000000000000": try #require(webhook["id"].string),
            "a@example.org": "\(Planted.suppressed)@example.org", "nobody.example": "shop.example",
            "/u/none": "/u/\(Planted.query)", "generic/none": "generic/\(Planted.query)",
        ]
    }

    @Test func `a failing database tells its trouble to the log, with the reference of the answer, and to nobody else`()
        async throws
    {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let campaign = try await api.draft()
            _ = try await api.upload(campaign, Self.bodies[.addRecipients] ?? "")
            // Each statement on it now fails, with words of PostgreSQL's that name what it was about.
            for table in ["campaigns", "suppressions", "domains", "webhook_endpoints", "ledger_entries"] {
                try await fixture.records.owner.query(
                    "ALTER TABLE \(identifier: table) RENAME TO \(identifier: table + "_gone")")
            }
            let log = CapturedLog()
            let application = Application(router: APIServer.router(fixture.services), logger: log.logger)
            try await application.test(.router) { client in
                let api = API(client: client, key: customer.key)
                var failures = 0
                for operation in APIOperation.allCases where operation.access != .open {
                    let answer = try await api.call(
                        operation.method, Self.path(operation, ["cmp_0000000000000": campaign]),
                        body: operation.method == .get ? nil : Self.bodies[operation] ?? "",
                        type: operation == .addRecipients ? "application/x-ndjson" : "application/json")
                    guard answer.status >= 500 else { continue }
                    failures += 1
                    answer.expectProblem(500, "internal_error")
                    let reference = try #require(answer.json["reference"].string)
                    #expect(log.text.contains(reference), "\(operation)")
                    for word in ["_gone", "relation", "SELECT", "INSERT", "42P01", "libpq"] {
                        #expect(!answer.text.contains(word), "\(operation): \(answer.text)")
                    }
                }
                #expect(failures > 20)
            }
            #expect(log.text.contains("42P01") || log.text.contains("does not exist"))
            Self.expectNothing(
                planted: Planted.all + [String(customer.key.dropFirst(12))], in: log.text, "the log of failures")
        }
    }
}
