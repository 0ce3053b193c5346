import MailMessage
import MailTypes
import Testing

@testable import Campaigns

@Suite("NDJSON lines")
struct NDJSONTests {
    struct Good: Sendable, CustomTestStringConvertible {
        var line: String
        var address: String
        var name: String?
        var variables: MergeVariables

        init(_ line: String, _ address: String, _ name: String? = nil, _ variables: MergeVariables = [:]) {
            self.line = line
            self.address = address
            self.name = name
            self.variables = variables
        }

        var testDescription: String { line }
    }

    @Test(arguments: goodLines)
    func `a good line gives its recipient`(line: Good) throws {
        let expected = ParsedRecipient(
            line: 1, address: try EmailAddress(line.address), name: line.name, variables: line.variables)
        #expect(events(of: Array(line.line.utf8), .ndjson).events == [.recipient(expected)])
    }

    static let goodLines: [Good] = [
        Good(#"{"email":"a@b.co"}"#, "a@b.co"),
        Good(#" { "email" : "a@b.co" } "#, "a@b.co"),
        Good("\t{\"email\":\"a@b.co\"}\r", "a@b.co"),
        Good(#"{"email":"Jane.Doe@Example.ORG","name":"Jane Doe"}"#, "Jane.Doe@example.org", "Jane Doe"),
        Good(#"{"name":null,"email":"a@b.co","vars":null}"#, "a@b.co"),
        Good(#"{"name":"","email":"a@b.co","vars":{}}"#, "a@b.co"),
        Good(#"{"\u0065mail":"a\u0040b.co"}"#, "a@b.co"),
        Good(#"{"email":"jos\u00e9@b.co","name":"Jos\u00E9 \ud83d\ude00"}"#, "josé@b.co", "José 😀"),
        Good(#"{"email":"a@b.co","name":"a\"b\\c\/d"}"#, "a@b.co", "a\"b\\c/d"),
        Good(
            #"{"email":"a@b.co","vars":{"first":"Jane","n":1.50,"big":-12e+99,"t":true,"f":false,"z":null}}"#,
            "a@b.co", nil,
            ["first": "Jane", "n": "1.50", "big": "-12e+99", "t": true, "f": false, "z": .null]),
        Good(
            #"{"email":"a@b.co","vars":{"lines":"one\r\ntwo\tthree"}}"#, "a@b.co", nil,
            ["lines": "one\r\ntwo\tthree"]),
        Good(
            #"{"email":"a@b.co","vars":{"items":[{"title":"Book","price":"9"},[],[1,"x",{}]]}}"#, "a@b.co", nil,
            [
                "items": [
                    .object(["title": "Book", "price": "9"]), .list([]), .list(["1", "x", .object([:])]),
                ]
            ]),
        Good(
            #"{"email":"a@b.co","vars":{"d":[[[[[[1]]]]]]}}"#, "a@b.co", nil,
            ["d": .list([.list([.list([.list([.list([.list(["1"])])])])])])]),
        Good(
            #"{"email":"a@b.co","vars":{"x":0,"y":-0.0,"w":1E5}}"#, "a@b.co", nil, ["x": "0", "y": "-0.0", "w": "1E5"]),
        Good("\u{FEFF}{\"email\":\"a@b.co\"}", "a@b.co"),
        Good(#"{"email":" a@b.co\t"}"#, "a@b.co"), Good(#"{"email":"\u00a0a@b.co\u200b\r\n"}"#, "a@b.co"),
        Good(#"{"email":"a@b.co","name":"Jane\n"}"#, "a@b.co", "Jane"),
        Good(#"{"email":"a@b.co","name":"\r\n Jane\tA. \u2028Doe "}"#, "a@b.co", "Jane A. Doe"),
        Good(#"{"email":"a@b.co","name":"a\nBcc: x@y.co"}"#, "a@b.co", "a Bcc: x@y.co"),
        Good(#"{"email":"a@b.co","name":"a\u0085b\u000bc"}"#, "a@b.co", "a b c"),
        Good(#"{"email":"a@b.co","name":" \t "}"#, "a@b.co"),
        Good(#"{"email":"a..b@b.co"}"#, "\"a..b\"@b.co"),
    ]

    @Test(arguments: badLines)
    func `a bad line gives its error`(line: String, error: LineError) {
        #expect(events(of: Array(line.utf8), .ndjson).events == [.invalidLine(1, error)])
    }

    static let badLines: [(String, LineError)] = [
        ("x", .jsonNotAnObject),
        ("[]", .jsonNotAnObject),
        ("\"a@b.co\"", .jsonNotAnObject),
        ("null", .jsonNotAnObject),
        ("{", .jsonMalformed(octet: 2)),
        ("{}", .emailMissing),
        ("{\"email\"", .jsonMalformed(octet: 9)),
        ("{\"email\":", .jsonWrongType(key: "email")),
        ("{\"email\":\"a@b.co\"", .jsonMalformed(octet: 18)),
        ("{\"email\":\"a@b.co\"}}", .jsonMalformed(octet: 19)),
        ("{\"email\":\"a@b.co\"} {\"email\":\"b@b.co\"}", .jsonMalformed(octet: 20)),
        ("{\"email\":\"a@b.co\",}", .jsonMalformed(octet: 19)),
        ("{\"email\":\"a@b.co\" \"name\":\"x\"}", .jsonMalformed(octet: 19)),
        ("{email:\"a@b.co\"}", .jsonMalformed(octet: 2)),
        ("{'email':'a@b.co'}", .jsonMalformed(octet: 2)),
        ("{\"email\":\"a@b.co\\\"}", .jsonMalformed(octet: 20)),
        ("{\"email\":\"a\u{0}@b.co\"}", .jsonMalformed(octet: 12)),
        ("{\"email\":\"a\tb@b.co\"}", .jsonMalformed(octet: 12)),
        ("{\"email\":\"a\\u0000@b.co\"}", .address(.character("\u{0}", .localPart))),
        ("{\"email\":\"a\\r\\nRCPT TO:<x@y.co>@b.co\"}", .address(.character("\r", .localPart))),
        ("{\"email\":\"\"}", .address(.empty)),
        ("{\"email\":\"a\"}", .address(.noDomain)),
        ("{\"email\":\"@b.co\"}", .address(.noLocalPart)),
        ("{\"email\":\"a@localhost\"}", .address(.domainHasOneLabel)),
        ("{\"email\":\"a@[127.0.0.1]\"}", .address(.domainIsAddressLiteral)),
        ("{\"email\":\"a@127.0.0.1\"}", .address(.domainIsAddressLiteral)),
        ("{\"email\":\"a @b.co\"}", .address(.character(" ", .localPart))),
        ("{\"email\":\"\(String(repeating: "a", count: 300))@b.co\"}", .address(.localPartTooLong)),
        ("{\"email\":null}", .jsonWrongType(key: "email")),
        ("{\"email\":17}", .jsonWrongType(key: "email")),
        ("{\"email\":[\"a@b.co\"]}", .jsonWrongType(key: "email")),
        ("{\"name\":\"x\"}", .emailMissing),
        ("{\"email\":\"a@b.co\",\"name\":1}", .jsonWrongType(key: "name")),
        ("{\"email\":\"a@b.co\",\"vars\":[]}", .jsonWrongType(key: "vars")),
        ("{\"email\":\"a@b.co\",\"vars\":\"x\"}", .jsonWrongType(key: "vars")),
        ("{\"email\":\"a@b.co\",\"first\":\"x\"}", .jsonUnknownKey),
        ("{\"email\":\"a@b.co\",\"email\":\"b@b.co\"}", .jsonDuplicateKey),
        ("{\"email\":\"a@b.co\",\"name\":null,\"name\":\"x\"}", .jsonDuplicateKey),
        ("{\"email\":\"a@b.co\",\"vars\":null,\"vars\":{}}", .jsonDuplicateKey),
        ("{\"email\":\"a@b.co\",\"vars\":{\"a\":1,\"a\":2}}", .jsonDuplicateKey),
        ("{\"email\":\"a@b.co\",\"name\":\"a\\u0000\"}", .nameControlCharacter("\u{0}")),
        ("{\"email\":\"a@b.co\",\"name\":\"a\\u001bb\"}", .nameControlCharacter("\u{1B}")),
        ("{\"email\":\"a@b.co\",\"name\":\"a\u{7F}\"}", .nameControlCharacter("\u{7F}")),
        ("{\"email\":\"a@b.co\",\"name\":\"a\u{9F}\"}", .nameControlCharacter("\u{9F}")),
        ("{\"email\":\"a@b.co\",\"name\":\"\(String(repeating: "n", count: 257))\"}", .nameTooLong),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":\"\\u0000\"}}", .variableControlCharacter("\u{0}")),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":\"\\u001b[0m\"}}", .variableControlCharacter("\u{1B}")),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":\"\\b\"}}", .variableControlCharacter("\u{8}")),
        ("{\"email\":\"a@b.co\",\"vars\":{\"\":\"x\"}}", .variableNameEmpty),
        ("{\"email\":\"a@b.co\",\"vars\":{\"a\\nb\":\"x\"}}", .variableNameControlCharacter("\n")),
        ("{\"email\":\"a@b.co\",\"vars\":{\"\(String(repeating: "k", count: 129))\":1}}", .variableNameTooLong),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":\"\\ud800\"}}", .jsonMalformed(octet: 37)),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":\"\\udc00\"}}", .jsonMalformed(octet: 37)),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":\"\\u12g4\"}}", .jsonMalformed(octet: 35)),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":\"\\x\"}}", .jsonMalformed(octet: 33)),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":01}}", .jsonMalformed(octet: 32)),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":1.}}", .jsonMalformed(octet: 33)),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":.5}}", .jsonMalformed(octet: 31)),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":+1}}", .jsonMalformed(octet: 31)),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":1e}}", .jsonMalformed(octet: 33)),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":NaN}}", .jsonMalformed(octet: 31)),
        ("{\"email\":\"a@b.co\",\"vars\":{\"x\":tru}}", .jsonMalformed(octet: 34)),
        ("{\"email\":\"a@b.co\",\"vars\":{\"d\":[[[[[[[1]]]]]]]}}", .jsonTooDeep),
        ("{\"email\":\"a@b.co\",\"vars\":{\"d\":[[[[[[{}]]]]]]}}", .jsonTooDeep),
        (
            "{\"email\":\"a@b.co\",\"vars\":{" + (0...100).map { "\"v\($0)\":1" }.joined(separator: ",") + "}}",
            .tooManyVariables
        ),
    ]

    @Test func `one hundred variables are fine`() {
        let variables = (0..<100).map { "\"v\($0)\":\"x\"" }.joined(separator: ",")
        let found = events(of: Array("{\"email\":\"a@b.co\",\"vars\":{\(variables)}}".utf8), .ndjson).events
        guard case .recipient(let recipient)? = found.first else {
            Issue.record("the line was refused")
            return
        }
        #expect(recipient.variables.fields.count == 100)
    }

    @Test func `octets that are not UTF-8 are refused`() {
        for octets: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF5, 0x80, 0x80, 0x80]] {
            let line = Array("{\"email\":\"a@b.co\",\"name\":\"".utf8) + octets + Array("\"}".utf8)
            #expect(
                events(of: line, .ndjson).events == [.invalidLine(1, .undecodable(charset: .utf8, character: 27))])
        }
    }

    @Test func `empty lines are skipped and counted`() throws {
        let upload = "\n  \r\n{\"email\":\"a@b.co\"}\n\nx\n{\"email\":\"b@b.co\"}"
        let found = events(of: Array(upload.utf8), .ndjson)
        #expect(found.events.map(lineNumber) == [3, 5, 6])
        #expect(found.refused == nil)
        #expect(events(of: [], .ndjson).events.isEmpty)
        #expect(events(of: Array("\n\n".utf8), .ndjson).events.isEmpty)
    }

    @Test func `a reason never quotes the line`() {
        for (line, _) in Self.badLines {
            guard case .invalidLine(_, let error)? = events(of: Array(line.utf8), .ndjson).events.first else {
                continue
            }
            #expect(!error.reason.contains("b.co"))
            #expect(!error.reason.contains("127.0"))
            #expect(error.code.allSatisfy { $0.isLowercase || $0 == "_" || $0.isNumber })
        }
    }
}

func lineNumber(_ event: RecipientParser.Event) -> Int? {
    switch event {
    case .recipient(let recipient): recipient.line
    case .invalidLine(let line, _): line
    case .needsMore: nil
    }
}
