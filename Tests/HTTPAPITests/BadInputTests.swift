import CreditLedger
import Foundation
import HTTPTypes
import Testing

/// Every bad input gets a clear answer and changes nothing.
@Suite struct BadInputTests {
    struct Draft: Sendable, CustomTestStringConvertible {
        let name: String
        let body: String
        let status: Int
        let code: String
        var fields: [JSON]?
        var testDescription: String { name }

        init(_ name: String, _ body: String, _ status: Int, _ code: String, _ fields: [JSON]? = nil) {
            self.name = name
            self.body = body
            self.status = status
            self.code = code
            self.fields = fields
        }

        /// A draft that is right but for some members.
        init(_ name: String, with members: String, _ status: Int, _ code: String, _ fields: [JSON]? = nil) {
            let known = ["from": #""news@shop.example""#, "subject": #""S""#, "text": #""T""#]
            let rest = known.filter { !members.contains("\"\($0.key)\":") }.map { "\"\($0.key)\": \($0.value)" }
            self.init(name, "{" + (rest.sorted() + [members]).joined(separator: ", ") + "}", status, code, fields)
        }
    }

    static let json = [
        Draft("empty", "", 400, "invalid_json"),
        Draft("cut off", #"{"from": "news@shop.example", "subj"#, 400, "invalid_json"),
        Draft("not closed", #"{"from": "news@shop.example""#, 400, "invalid_json"),
        Draft("single quotes", "{'from': 'a'}", 400, "invalid_json"),
        Draft("text after it", API.draft + "x", 400, "invalid_json"),
        Draft("two values", API.draft + API.draft, 400, "invalid_json"),
        Draft("a list", "[]", 422, "invalid_field"),
        Draft("a number", "5", 422, "invalid_field"),
        Draft("null", "null", 422, "invalid_field"),
        Draft("raw NUL", "{\"from\": \u{0}}", 400, "invalid_json"),
        Draft("raw line break in a text", "{\"from\": \"a\nb\"}", 400, "invalid_json"),
        Draft("100,000 open brackets", String(repeating: "[", count: 100_000), 400, "invalid_json"),
        Draft(
            "100,000 nested objects", String(repeating: #"{"a":"#, count: 100_000), 400, "invalid_json"),
        Draft(
            "deep inside a field",
            with: #""headers": "# + String(repeating: "[", count: 30) + String(repeating: "]", count: 30),
            400, "invalid_json"),
        Draft("a field twice", with: #""subject": "A", "subject": "B""#, 422, "duplicate_field", ["subject"]),
        Draft(
            "a field twice, once escaped", with: #""subject": "A", "\u0073ubject": "B""#, 422, "duplicate_field",
            ["subject"]),
        Draft("a header twice", with: #""headers": {"X-A": "1", "X-A": "2"}"#, 422, "duplicate_field", ["X-A"]),
        Draft("an unknown field", with: #""sender": "a""#, 422, "unknown_field", ["sender"]),
        Draft("a name of 512 octets", with: "\"\(String(repeating: "a", count: 512))\": 1", 422, "unknown_field"),
        Draft("a name of 513 octets", with: "\"\(String(repeating: "a", count: 513))\": 1", 400, "invalid_json"),
        Draft(
            "an unknown field inside", with: #""attachments": [{"filename": "a", "content": "", "size": 1}]"#, 422,
            "unknown_field", ["attachments.0.size"]),
        Draft("no from", #"{"subject": "S", "text": "T"}"#, 422, "missing_field", ["from"]),
        Draft(
            "no file name", with: #""attachments": [{"content": ""}]"#, 422, "missing_field", ["attachments.0.filename"]
        ),
        Draft("wrong type", with: #""subject": 5"#, 422, "invalid_field", ["subject"]),
        Draft("wrong type inside", with: #""reply_to": ["a@b.example", 5]"#, 422, "invalid_field", ["reply_to.1"]),
        Draft("half a surrogate", with: #""subject": "\ud800""#, 400, "invalid_json"),
        Draft(
            "a huge number", with: #""expiry_seconds": 99999999999999999999"#, 422, "invalid_field", ["expiry_seconds"]),
        Draft("an infinite number", with: #""expiry_seconds": 1e999"#, 422, "invalid_field", ["expiry_seconds"]),
        Draft("a fraction", with: #""expiry_seconds": 60.5"#, 422, "invalid_field", ["expiry_seconds"]),
        Draft(
            "the largest integer", with: #""expiry_seconds": 9223372036854775807"#, 422, "invalid_field",
            ["expiry_seconds"]),
        Draft("a rate of nothing", with: #""rate_per_hour": 0"#, 422, "invalid_field", ["rate_per_hour"]),
        Draft("a rate without end", with: #""rate_per_hour": 100000001"#, 422, "invalid_field", ["rate_per_hour"]),
        Draft("a negative number", with: #""expiry_seconds": -60"#, 422, "invalid_field", ["expiry_seconds"]),
        Draft("a wish that is no boolean", with: #""require_tls": "yes""#, 422, "invalid_field", ["require_tls"]),
        Draft("an unknown policy", with: #""in_doubt": "maybe""#, 422, "invalid_field", ["in_doubt"]),
        Draft(
            "another unknown policy", with: #""missing_variables": "x""#, 422, "invalid_field", ["missing_variables"]),
        Draft(
            "no base64", with: #""attachments": [{"filename": "a", "content": "%%%"}]"#, 422, "invalid_base64",
            ["attachments.0.content"]),
    ]

    static let messages = [
        Draft("CRLF in the subject", with: #""subject": "Hi\r\nBcc: all@victim.example""#, 422, "header_injection"),
        Draft("LF in the subject", with: #""subject": "Hi\nBcc: all@victim.example""#, 422, "header_injection"),
        Draft("NUL in the subject", with: #""subject": "Hi\u0000""#, 422, "header_injection"),
        Draft(
            "CRLF in from", with: #""from": "news@shop.example\r\nBcc: all@victim.example""#, 422, "header_injection",
            ["from"]),
        Draft(
            "CRLF in the name", with: #""from": "Shop\r\nBcc: x <news@shop.example>""#, 422, "header_injection",
            ["from"]),
        Draft("NUL in the name", with: #""from": "Sh\u0000op <news@shop.example>""#, 422, "header_injection", ["from"]),
        Draft(
            "CRLF in reply_to", with: #""reply_to": ["a@b.example", "c@d.example\r\nBcc: e@f.example"]"#, 422,
            "header_injection", ["reply_to.1"]),
        Draft(
            "CRLF in a header", with: #""headers": {"X-A": "1\r\nBcc: all@victim.example"}"#, 422, "header_injection"),
        Draft(
            "CRLF in the name of a header", with: #""headers": {"X-A\r\nBcc": "all@victim.example"}"#, 422,
            "header_injection"),
        Draft("a header of ours", with: #""headers": {"Bcc": "all@victim.example"}"#, 422, "reserved_header"),
        Draft("NUL in the text", with: #""text": "a\u0000b""#, 422, "invalid_character"),
        Draft("from without a domain", with: #""from": "news""#, 422, "invalid_address", ["from"]),
        Draft("from at an IP address", with: #""from": "news@[192.0.2.1]""#, 422, "invalid_address", ["from"]),
        Draft("from without anything", with: #""from": """#, 422, "invalid_address", ["from"]),
        Draft("two senders", with: #""from": "a@shop.example, b@shop.example""#, 422, "invalid_address", ["from"]),
        Draft(
            "a 300-character sender", with: #""from": "\#(String(repeating: "a", count: 287))@shop.example""#, 422,
            "invalid_address", ["from"]),
        Draft("somebody else's domain", with: #""from": "news@bank.example""#, 422, "domain_not_registered", ["from"]),
        Draft("neither html nor text", with: #""text": null"#, 422, "no_body", ["html"]),
        Draft("an empty text", with: #""text": "  \n""#, 422, "no_body", ["text"]),
        Draft("empty parts", with: #""text": "", "html": "<p>&nbsp;</p>""#, 422, "no_body", ["html"]),
        Draft("an empty subject", with: #""subject": " ""#, 422, "no_subject", ["subject"]),
        Draft(
            "one field twice", with: #""headers": {"In-Reply-To": "<a@b.c>", "in-reply-to": "<d@b.c>"}"#, 422,
            "duplicate_header", ["headers.in-reply-to"]),
        Draft("a tag in an address", with: #""from": "{{a}}@shop.example""#, 422, "invalid_tag", ["from"]),
        Draft(
            "a tag in a file name", with: #""attachments": [{"filename": "{{a}}.pdf", "content": ""}]"#, 422,
            "invalid_attachment", ["attachments.0.filename"]),
        Draft("an else", with: #""text": "{{#a}}x{{else}}y{{/a}}""#, 422, "unsupported_tag", ["text"]),
        Draft("a filter", with: #""subject": "{{ a | default: 'b' }}""#, 422, "unsupported_tag", ["subject"]),
        Draft("an unknown way to unsubscribe", with: #""unsubscribe": "none""#, 422, "invalid_field", ["unsubscribe"]),
        Draft(
            "unsubscribing with nobody", with: #""unsubscribe": "own", "list_unsubscribe": []"#, 422,
            "invalid_list_unsubscribe", ["list_unsubscribe"]),
        Draft("an unknown text part", with: #""text_part": "maybe""#, 422, "invalid_field", ["text_part"]),
        Draft("an unknown section", with: #""text": "{{#a}}x{{/b}}""#, 422, "unknown_section"),
        Draft("a section never opened", with: #""text": "x{{/b}}""#, 422, "unknown_section"),
        Draft("a section never closed", with: #""html": "{{#a}}x""#, 422, "unbalanced_tag"),
        Draft("a tag never closed", with: #""subject": "Hi {{name""#, 422, "unbalanced_tag"),
        Draft("a partial", with: #""text": "{{> header}}""#, 422, "unsupported_tag"),
        Draft(
            "a subject over the limit", with: #""subject": "\#(String(repeating: "s", count: 1_000))""#, 422,
            "subject_too_long"),
    ]

    @Test(arguments: json + messages) func `a bad draft is refused`(_ draft: Draft) async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let before = try await fixture.state(customer.account)
            let answer = try await api.post("/v1/campaigns", draft.body, idempotencyKey: "k")
            answer.expectProblem(draft.status, draft.code)
            if let fields = draft.fields { #expect(answer.json["fields"] == .list(fields)) }
            #expect(!answer.text.contains("victim.example"), "the answer repeats what was sent")
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test(arguments: [
        [0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00], [0x7B, 0x00, 0x7D, 0x00], [0x00, 0x7B, 0x00, 0x7D],
        [0x7B, 0xC3, 0x28, 0x7D],
        Array(#"{"from": ""#.utf8) + [0xED, 0xA0, 0x80] + Array(#""}"#.utf8),
        Array(#"{"from": ""#.utf8) + [0xC0, 0xAF],
    ])
    func `a body that is not UTF-8 is refused`(_ bytes: [UInt8]) async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let before = try await fixture.state(customer.account)
            try await api.call(.post, "/v1/campaigns", bytes: bytes).expectProblem(400, "invalid_json")
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test func `a name that takes long to normalise is refused at once`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let before = try await fixture.state(customer.account)
            // A MiB of marks that belong in another order.
            let marks = Array(String(repeating: "\u{301}\u{323}", count: 1 << 18).utf8)
            let body = Array(#"{"a"#.utf8) + marks + Array(#"": 1}"#.utf8)
            let start = ContinuousClock.now
            try await api.call(.post, "/v1/campaigns", bytes: body).expectProblem(400, "invalid_json")
            let taken = ContinuousClock.now - start
            #expect(taken < .seconds(20))
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test func `an attachment over the limit is refused, and a body over the limit before it is read`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let before = try await fixture.state(customer.account)
            let content = Data(count: 11 << 20).base64EncodedString()
            let draft = Draft("", with: #""attachments": [{"filename": "a.bin", "content": "\#(content)"}]"#, 0, "")
            try await api.post("/v1/campaigns", draft.body).expectProblem(422, "attachment_too_large")
            try await api.call(.post, "/v1/campaigns", bytes: [UInt8](repeating: 0x20, count: 41 << 20))
                .expectProblem(413, "body_too_large")
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test func `compressed bodies are refused`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let id = try await api.draft()
            let before = try await fixture.state(customer.account)
            for (path, type) in [("/v1/campaigns", "application/json"), ("/v1/campaigns/\(id)/recipients", "text/csv")]
            {
                let answer = try await api.call(
                    .post, path, body: "email\n", type: type, headers: ["Content-Encoding": "gzip"])
                answer.expectProblem(415, "unsupported_content_encoding")
            }
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    // MARK: Uploads

    struct Upload: Sendable, CustomTestStringConvertible {
        let name: String
        let type: String
        let body: String
        let status: Int
        let code: String
        var testDescription: String { name }
    }

    static let refusedUploads = [
        Upload(
            name: "a torn quote", type: "text/csv", body: "email,name\na@example.org,\"Ada\nb@example.org,Bo\n",
            status: 422, code: "csv_unterminated_quote"),
        Upload(
            name: "no email column", type: "text/csv", body: "name\nAda\n", status: 422, code: "csv_no_email_column"),
        Upload(name: "a column twice", type: "text/csv", body: "email,a,a\n", status: 422, code: "csv_bad_header"),
        Upload(
            name: "a line of 10 MB", type: "application/x-ndjson",
            body: API.lines(2) + #"{"email": ""# + String(repeating: "a", count: 10 << 20) + "@example.org\"}\n",
            status: 413, code: "upload_line_too_long"),
        Upload(
            name: "a quoted line of 10 MB", type: "text/csv",
            body: "email\n\"" + String(repeating: "a\n", count: 5 << 20), status: 413, code: "upload_line_too_long"),
        Upload(
            name: "JSON as CSV", type: "text/csv", body: API.lines(1), status: 422, code: "upload_wrong_format"),
        Upload(
            name: "an unknown charset", type: "text/csv; charset=shift_jis", body: "email\n", status: 415,
            code: "unsupported_charset"),
        Upload(
            name: "a bad line", type: "text/csv", body: "email\na@example.org\nb\n", status: 422, code: "invalid_lines"),
        Upload(name: "another type", type: "application/json", body: "{}", status: 415, code: "unsupported_media_type"),
        Upload(name: "an empty type", type: "", body: "{}", status: 415, code: "unsupported_media_type"),
    ]

    @Test(arguments: refusedUploads) func `a bad upload is refused as a whole`(_ upload: Upload) async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let id = try await api.draft(2)
            let before = try await fixture.state(customer.account)
            let answer = try await api.call(
                .post, "/v1/campaigns/\(id)/recipients", body: upload.body, type: upload.type, idempotencyKey: "k")
            answer.expectProblem(upload.status, upload.code)
            #expect(try await fixture.state(customer.account) == before)
            // The campaign is as good as before, the key as well.
            let good = try await api.call(
                .post, "/v1/campaigns/\(id)/recipients", body: API.lines(1, from: 9), type: "application/x-ndjson",
                idempotencyKey: "k")
            #expect(good.json["accepted"] == 1)
        }
    }

    static let badLines: [(String, String)] = [
        (#"{"email": "x@example.org", "name": "A"#, "json_malformed"),
        ("[]", "json_not_an_object"),
        (#"{"email": "x@example.org", "mail": "y"}"#, "json_unknown_key"),
        (#"{"email": "x@example.org", "email": "y@example.org"}"#, "json_duplicate_key"),
        (#"{"email": 5}"#, "json_wrong_type"),
        (#"{"name": "Ada"}"#, "email_missing"),
        (#"{"email": "ada"}"#, "address_no_domain"),
        (#"{"email": "ada@localhost"}"#, "address_bad_domain"),
        (#"{"email": "ada@192.0.2.1"}"#, "address_ip_literal"),
        (#"{"email": "ada@[IPv6:2001:db8::1]"}"#, "address_ip_literal"),
        (#"{"email": "\#(String(repeating: "a", count: 288))@example.org"}"#, "address_too_long"),
        (#"{"email": "ada@example.org\r\nRCPT TO:<b@victim.example>"}"#, "address_control_character"),
        (#"{"email": "a\u0000da@example.org"}"#, "address_control_character"),
        (#"{"email": "a\u200bda@example.org"}"#, "address_invisible_character"),
        (#"{"email": "x@example.org", "name": "A\u001bda"}"#, "name_control_character"),
        (#"{"email": "x@example.org", "name": "A\u0000"}"#, "name_control_character"),
        (#"{"email": "x@example.org", "vars": {"city": "L\u0000"}}"#, "variable_control_character"),
        (#"{"email": "x@example.org", "vars": {"ci\r\nty": "L"}}"#, "variable_name_invalid"),
        (
            #"{"email": "x@example.org", "vars": \#(String(repeating: #"{"a":"#, count: 50))1\#(String(repeating: "}", count: 50))}"#,
            "json_too_deep"
        ),
        (#"{"email": "\#(String(repeating: "a", count: 70_000))@example.org"}"#, "line_too_long"),
    ]

    @Test func `bad lines are reported by number and reason, and the good ones kept where that is asked for`()
        async throws
    {
        try await APIFixture.withCustomer { fixture, customer, api in
            let id = try await api.draft()
            let before = try await fixture.state(customer.account)
            let body = API.lines(1) + Self.badLines.map { $0.0 + "\n" }.joined() + API.lines(1, from: 1)
            let refused = try await api.upload(id, body)
            refused.expectProblem(422, "invalid_lines")
            #expect(refused.json["valid"] == 2)
            #expect(try await fixture.state(customer.account) == before)
            let answer = try await api.call(
                .post, "/v1/campaigns/\(id)/recipients?on_invalid=skip", body: body, type: "application/x-ndjson")
            #expect(answer.status == 200)
            #expect(answer.json["accepted"] == 2)
            for answer in [refused, answer] {
                #expect(answer.json["invalid"].integer == Self.badLines.count)
                let errors = answer.json["errors"].elements
                #expect(errors.map { $0["line"].integer } == Self.badLines.indices.map { $0 + 2 })
                #expect(errors.map { $0["code"].string } == Self.badLines.map(\.1))
                #expect(!answer.text.contains("victim.example"), "the answer repeats what was sent")
            }
        }
    }

    @Test(arguments: ["on_invalid=maybe", "separator=x", "separator=", "on_invalid="])
    func `a parameter of an upload that has no meaning is refused`(query: String) async throws {
        try await APIFixture.withCustomer { _, _, api in
            let id = try await api.draft()
            let answer = try await api.call(
                .post, "/v1/campaigns/\(id)/recipients?\(query)", body: "email\na@example.org\n", type: "text/csv")
            answer.expectProblem(422, "invalid_field")
            #expect(
                answer.json["fields"].elements.map(\.string) == [query.split(separator: "=").first.map(String.init)])
        }
    }

    @Test func `a list is read as it is found or said to be, and the answer says how`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let id = try await api.draft()
            let windows = Array("E-Mail;name\ra@example.org;J".utf8) + [0xF6] + Array("rg\r".utf8)
            let answer = try await api.call(
                .post, "/v1/campaigns/\(id)/recipients", bytes: windows,
                type: "text/csv; header=present; Charset=\"Windows-1252\"")
            #expect(answer.status == 200)
            #expect(answer.json["accepted"] == 1)
            #expect(answer.json["charset"].string == "windows-1252")
            #expect(answer.json["separator"].string == ";")
            #expect(answer.json["format"].string == "csv")
            let tabs = try await api.call(
                .post, "/v1/campaigns/\(id)/recipients?separator=tab", body: "email\tx\nb@example.org\t1;2\n",
                type: "text/tab-separated-values")
            #expect(tabs.json["accepted"] == 1)
            #expect(tabs.json["separator"].string == "\t")
            let wrong = try await api.call(
                .post, "/v1/campaigns/\(id)/recipients?separator=comma", body: "email\tx\nc@example.org\t1\n",
                type: "text/csv")
            wrong.expectProblem(422, "csv_bad_header")
            #expect(wrong.json["line"] == 1)
        }
    }

    @Test func `suppressions that can be read are listed, and the others named by their place`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let answer = try await api.post(
                "/v1/suppressions",
                #"{"addresses": [" a@example.org\r\n", "ada", "b..b@example.org", "x\u200by@example.org", "\u00a0A@example.org", "\"b..b\"@example.org"]}"#
            )
            #expect(answer.status == 200)
            #expect(answer.json["added"] == 2)
            #expect(answer.json["already_listed"] == 2)
            #expect(answer.json["invalid"] == 2)
            #expect(answer.json["errors"].elements.map { $0["index"].integer } == [1, 3])
            #expect(
                answer.json["errors"].elements.map { $0["code"].string }
                    == ["address_no_domain", "address_invisible_character"])
            #expect(try await api.get("/v1/suppressions?address=a@example.org").json["data"].elements.count == 1)
            #expect(try await api.get("/v1/suppressions?address=b..b@example.org").json["data"].elements.count == 1)
        }
    }

    // MARK: The rest

    @Test(arguments: [
        ("/v1/suppressions", #"{"addresses": ["a@example.org"], "reason": "boredom"}"#, "invalid_field", "reason"),
        (
            "/v1/suppressions", #"{"addresses": ["a@example.org"], "note": "a\u0000"}"#, "invalid_suppression_note",
            "note"
        ),
        ("/v1/suppressions", #"{"addresses": "a@example.org"}"#, "invalid_field", "addresses"),
        ("/v1/suppressions", "{}", "missing_field", "addresses"),
        ("/v1/domains", #"{"domain": "localhost"}"#, "address_bad_domain", "domain"),
        ("/v1/domains", #"{"domain": "192.0.2.1"}"#, "address_ip_literal", "domain"),
        ("/v1/domains", #"{"domain": "a\u0000.example"}"#, "address_control_character", "domain"),
        ("/v1/domains", #"{"domain": "a.example", "selector": "a b"}"#, "invalid_setting", nil),
        ("/v1/domains", #"{"domain": "a.example", "selector": "\u0000"}"#, "invalid_setting", nil),
        ("/v1/domains", #"{"domain": "a.example", "ed25519": "yes"}"#, "invalid_field", "ed25519"),
    ])
    func `a bad suppression or domain is refused`(
        _ path: String, _ body: String, _ code: String, _ field: String?
    ) async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let before = try await fixture.state(customer.account)
            let answer = try await api.post(path, body, idempotencyKey: "k")
            answer.expectProblem(422, code)
            if let field { #expect(answer.json["fields"] == .list([.text(field)])) }
            // The account's own keys are made when they are first needed.
            #expect(try await fixture.state(customer.account) == before)
        }
    }

    @Test func `too many suppressions at once are refused`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let addresses = (0..<10_001).map { "\"p\($0)@example.org\"" }.joined(separator: ",")
            let answer = try await api.post("/v1/suppressions", "{\"addresses\": [\(addresses)]}")
            answer.expectProblem(422, "too_many_addresses")
        }
    }

    @Test func `a repeated send, and a send without recipients, are refused`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let empty = try await api.draft()
            let sent = try await api.sent(2)
            let before = try await fixture.state(customer.account)
            try await api.post("/v1/campaigns/\(empty)/send").expectProblem(409, "no_recipients")
            try await api.post("/v1/campaigns/\(sent)/send").expectProblem(409, "illegal_transition")
            #expect(try await fixture.state(customer.account) == before)
            #expect(try await fixture.balance(customer.account).held == 2)
        }
    }

    @Test(arguments: [
        "cmp_0000000000000", "cmp_00000000000000", "cmp_ilou000000000", "CMP_0000000000000", "1", "%00", "%zz", "..",
        "cmp_zzzzzzzzzzzzz", "'; DROP TABLE campaigns; --",
    ])
    func `an unknown campaign is not found`(_ id: String) async throws {
        try await APIFixture.withCustomer { _, _, api in
            for (method, call, _) in AuthenticationTests.campaignCalls {
                let answer = try await api.call(
                    method, "/v1/campaigns/\(id)\(call)", body: method == .post ? "{}" : nil, type: "text/csv")
                answer.expectProblem(404, "not_found")
            }
        }
    }
}
