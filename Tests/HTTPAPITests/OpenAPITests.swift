import Campaigns
import Fleet
import HTTPAPI
import HTTPTypes
import Hummingbird
import Identity
import MailTypes
import Postgres
import TestDatabases
import Testing

/// docs/openapi.yaml against the server.
@Suite struct OpenAPITests {
    private let document = DocumentScanner(OpenAPIDocument.text)

    @Test func `the document is given out`() async throws {
        try await APIFixture.shared().withAPI { api in
            let answer = try await api.get("/openapi.yaml")
            #expect(answer.status == 200)
            #expect(answer.headers[.contentType] == "application/yaml")
            #expect(answer.text == OpenAPIDocument.text)
            #expect(answer.text.hasPrefix("openapi: 3.1.0\n"))
        }
    }

    @Test func `every operation has its route and its place in the document, and nothing else has`() async throws {
        let router = APIServer.routes(try await APIFixture.shared().services)
        let routes = router.routes.map { "\($0.method) \($0.path)" }
        let operations = APIOperation.allCases.map(\.rawValue)
        #expect(routes.sorted() == operations.sorted())
        #expect(document.operations == Set(operations))
        #expect(operations.count >= 47)
    }

    @Test(arguments: APIOperation.allCases) func `the document says what a key must be for`(_ operation: APIOperation) {
        let lines = document.operation(operation.rawValue)
        #expect(lines.contains("      operationId: \(operation)"), "\(operation)")
        switch operation.access {
        case .open: #expect(lines.contains("      security: []"))
        case .person:
            let role = operation.leastRole.map { #""\#($0.rawValue)""# } ?? ""
            #expect(lines.contains("      security: [{ session: [\(role)] }]"))
            for status in ["401", "403"] { #expect(lines.contains { $0.hasPrefix("        \"\(status)\":") }) }
        case .key(let scope):
            let role = operation.leastRole?.rawValue ?? "?"
            #expect(
                lines.contains(
                    "      security: [{ key: [\"\(scope.rawValue)\"] }, { session: [\"\(role)\"] }]"))
            for status in ["401", "403"] { #expect(lines.contains { $0.hasPrefix("        \"\(status)\":") }) }
        }
    }

    @Test func `the document names each scope`() {
        let names = document.members(named: "    Scope:").map { $0.trimmingPrefix("        - ").filter { $0 != "\"" } }
        let wildcards = Set(Scope.allCases.map { String($0.rawValue.prefix { $0 != ":" }) + ":*" })
        #expect(Set(names) == Set(Scope.allCases.map(\.rawValue)).union(wildcards).union(["*"]))
    }

    @Test func `real answers have exactly the members that the document names`() async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let created = try await api.post("/v1/campaigns", API.draft)
            let id = try #require(created.json["id"].string)
            expect(created.json, is: "Campaign", without: ["warnings"])
            expect(created.json["counters"], is: "Counters")
            expect(created.json["credits"], is: "CampaignCredits")
            expect(try await api.get("/v1/campaigns").json["data"][0], is: "Campaign", without: Self.leftOutOfLists)
            let refused = try await api.upload(id, "email,name\na@example.org,\u{1}\n", type: "text/csv")
            expect(
                refused.json, is: "Problem",
                without: [
                    "fields", "missing", "available", "line", "column", "recipients", "missing_variables",
                ])
            expect(refused.json["errors"][0], is: "LineError")
            let upload = try await api.call(
                .post, "/v1/campaigns/\(id)/recipients?on_invalid=skip", body: API.lines(2) + "{}\n",
                type: "application/x-ndjson")
            expect(upload.json, is: "ImportReport")
            expect(upload.json["errors"][0], is: "LineError", without: ["column"])
            try await fixture.records.pool.withConnection { connection in
                try await FleetStore.set(AccountShaping(rate: 1e-6), for: customer.account, on: connection)
            }
            let quote = try await api.get("/v1/campaigns/\(id)/quote").json
            expect(quote, is: "Quote")
            expect(quote["warnings"][0], is: "ReachWarning")
            expect(try await api.get("/v1/campaigns/\(id)/recipients").json["data"][0], is: "Recipient")
            let sent = try await api.post("/v1/campaigns/\(id)/send").json
            expect(sent, is: "Campaign")
            #expect(sent["warnings"][0]["code"] == "account_rate" && sent["warnings"][0]["recipients"] == 2)
            try await Self.block(id, customer, fixture)
            try await fixture.deliver(id, of: customer.account)
            let done = try await api.get("/v1/campaigns/\(id)").json
            expect(done, is: "Campaign", without: ["warnings"])
            expect(done["blocks"][0], is: "Block")
            expect(try await api.get("/v1/campaigns/\(id)/certificate").json, is: "Certificate", without: ["reasons"])
            expect(try await api.get("/v1/credits").json, is: "Balance")
            expect(try await api.get("/v1/credits/entries").json["data"][0], is: "Entry")
            expect(
                try await api.post("/v1/suppressions", #"{"addresses": ["a@example.org"]}"#).json,
                is: "SuppressionReport")
            expect(try await api.get("/v1/suppressions").json["data"][0], is: "Suppression")
            expect(
                try await api.call(.post, "/v1/suppressions/import", body: "email\n", type: "text/csv").json,
                is: "SuppressionImportReport")
            let domain = try await api.post("/v1/domains", #"{"domain": "doc.example"}"#)
            expect(domain.json, is: "Domain")
            expect(domain.json["records"][0], is: "DNSRecord")
            expect(domain.json["challenge"], is: "DNSRecord")
            expect(domain.json["keys"][0], is: "DomainKey")
            let webhook = try await api.post("/v1/webhooks", #"{"url": "https://hooks.example.org/"}"#)
            expect(webhook.json, is: "WebhookWithSecret")
            expect(webhook.json["counters"], is: "WebhookCounters")
            expect(try await api.get("/v1/webhooks").json["data"][0], is: "Webhook")
            let hook = "/v1/webhooks/" + (webhook.json["id"].string ?? "")
            expect(try await api.post(hook + "/test").json, is: "WebhookTest")
            expect(
                try await api.post(hook + "/replay", #"{"since": "2026-01-01T00:00:00Z"}"#).json,
                is: "WebhookReplayed")
            try await fixture.records.pool.query(
                """
                INSERT INTO webhook_attempts (
                    account_id, endpoint_id, message, events, attempt, milliseconds, attempted_at)
                SELECT account_id, endpoint_id, 'msg_1', 1, 1, 5, now() FROM webhook_endpoints
                """)
            expect(try await api.get(hook + "/attempts").json["data"][0], is: "WebhookAttempt")
            let key = try await api.post("/v1/keys", #"{"name": "n", "scopes": ["credits:read"]}"#).json
            expect(key, is: "KeyWithSecret")
            expect(try await api.get("/v1/keys").json["data"][0], is: "Key")
            expect(try await api.get("/health").json, is: "Health")
            let optional: Set = [
                "fields", "missing", "available", "line", "column", "invalid", "valid", "errors", "recipients",
                "missing_variables",
            ]
            expect(try await api.get("/v1/nothing").json, is: "Problem", without: optional)
            expect(
                try await api.post("/v1/campaigns", "{}").json, is: "Problem",
                without: optional.subtracting(["fields"]))
        }
    }

    private static let leftOutOfLists: Set = ["credits", "blocks", "reasons", "brake", "warnings"]

    private static func block(_ id: String, _ customer: Customer, _ fixture: APIFixture) async throws {
        var heard = CampaignAnswers(customer.account, try #require(CampaignID(id)))
        heard.add(isFirstAttempt: true, block: (CampaignBlock.Reply(code: 554, enhanced: nil), "blocked"))
        _ = try await fixture.store.count([heard], memory: 1_000)
    }

    @Test func `every body that a request may have is named with its fields`() {
        #expect(
            document.members(of: "CampaignRequest") == [
                "from", "subject", "html", "text", "text_part", "reply_to", "headers", "list_unsubscribe",
                "unsubscribe", "attachments",
                "in_doubt", "require_tls", "source_pool",
                "missing_variables",
                "expiry_seconds", "rate_per_hour", "results_for",
            ])
        #expect(document.members(of: "Attachment") == ["filename", "content", "content_type", "content_id"])
        #expect(document.members(of: "SendRequest") == ["scheduled_at", "missing_variables"])
        #expect(document.members(of: "SuppressionRequest") == ["addresses", "reason", "note"])
        #expect(document.members(of: "DomainRequest") == ["domain", "selector", "ed25519", "private_key"])
        #expect(document.members(of: "DomainKeyRequest") == ["selector", "algorithm", "private_key"])
        #expect(document.members(of: "WebhookRequest") == ["url", "events", "batch_size", "description"])
        #expect(document.members(of: "WebhookChange") == ["url", "events", "batch_size", "description", "state"])
        #expect(document.members(of: "WebhookRotation") == ["overlap_seconds"])
        #expect(document.members(of: "WebhookReplay") == ["event", "since"])
        #expect(document.members(of: "KeyRequest") == ["name", "scopes", "networks", "expires_at", "test"])
        #expect(document.members(of: "MemberChange") == ["role"])
        #expect(document.members(of: "InvitationRequest") == ["email", "role"])
        #expect(document.members(of: "Code") == ["code"])
        #expect(document.members(of: "PasswordCodeRequest") == ["email"])
        #expect(document.members(of: "NewPassword") == ["code", "password"])
        #expect(document.members(of: "SignUpRequest") == ["email", "password", "account"])
        #expect(document.members(of: "Joining") == ["secret", "name", "password"])
    }

    private func expect(
        _ json: JSON, is schema: String, without missing: Set<String> = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let members = document.members(of: schema)
        #expect(!members.isEmpty, "\(schema)", sourceLocation: sourceLocation)
        #expect(json.names == members.subtracting(missing), "\(schema)", sourceLocation: sourceLocation)
    }
}

/// Reads what the tests need from the document by its indentation; it is no YAML parser.
struct DocumentScanner {
    private let lines: [Substring]

    init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// Such as `GET /v1/credits`.
    var operations: Set<String> {
        var found: Set<String> = []
        var path = ""
        for line in section("paths:", indentation: 0) {
            if let name = Self.key(line, indentation: 2) { path = name }
            if let name = Self.key(line, indentation: 4), name != "parameters" {
                found.insert("\(name.uppercased()) \(path)")
            }
        }
        return found
    }

    /// The lines of an operation, such as `GET /v1/credits`.
    func operation(_ name: String) -> [Substring] {
        let parts = name.split(separator: " ")
        let path = section("  \(parts[1]):", indentation: 2)
        guard let start = path.firstIndex(of: "    \(parts[0].lowercased()):") else { return [] }
        return Array(path[(start + 1)...].prefix { $0.hasPrefix("      ") || $0.isEmpty })
    }

    /// The entries of a schema that is an enumeration.
    func members(named heading: String) -> [Substring] {
        section(heading, indentation: 4, after: "  schemas:").filter { $0.hasPrefix("        - ") }
    }

    /// Names of the properties of a schema.
    func members(of schema: String) -> Set<String> {
        let body = section("    \(schema):", indentation: 4, after: "  schemas:")
        guard let start = body.firstIndex(of: "      properties:") else { return [] }
        return Set(body[(start + 1)...].prefix { $0.hasPrefix("        ") }.compactMap { Self.key($0, indentation: 8) })
    }

    /// The lines below a heading that are indented deeper.
    private func section(_ heading: String, indentation: Int, after earlier: String? = nil) -> [Substring] {
        let lines = earlier.map { earlier in self.lines.drop { $0 != earlier } } ?? self.lines[...]
        guard let start = lines.firstIndex(where: { $0 == heading }) else { return [] }
        return Array(
            lines[(start + 1)...].prefix { $0.isEmpty || $0.hasPrefix(String(repeating: " ", count: indentation + 1)) })
    }

    private static func key(_ line: Substring, indentation: Int) -> String? {
        let rest = line.dropFirst(indentation)
        guard line.prefix(indentation).allSatisfy({ $0 == " " }), let first = rest.first, first != " ", first != "-",
            let colon = rest.firstIndex(of: ":")
        else { return nil }
        return String(rest[..<colon])
    }
}
