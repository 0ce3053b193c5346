import MailMessage
import MailTypes
import Testing

@testable import Campaigns

@Suite("CSV uploads")
struct CSVTests {
    /// What an upload should give: per recipient its address, name and the texts of its variables.
    struct Row: Hashable {
        var address: String
        var name: String?
        var variables: [String]

        init(_ address: String, _ name: String? = nil, _ variables: [String] = []) {
            self.address = address
            self.name = name
            self.variables = variables
        }
    }

    @Test("a good upload gives its recipients", arguments: goodUploads)
    func good(upload: String, expected: [Row]) {
        let found = events(of: Array(upload.utf8), .csv)
        #expect(found.refused == nil)
        #expect(found.events.map(Self.row) == expected)
    }

    static let goodUploads: [(String, [Row])] = [
        ("", []),
        ("email", []),
        ("email\r\n", []),
        ("\u{FEFF}email\na@b.co\n", [Row("a@b.co")]),
        ("email\na@b.co", [Row("a@b.co")]),
        ("email\r\na@b.co\r\nb@b.co\r\n", [Row("a@b.co"), Row("b@b.co")]),
        ("\n\nemail\n\na@b.co\n\r\n\n", [Row("a@b.co")]),
        ("Email, Name \na@b.co,Jane\n", [Row("a@b.co", "Jane")]),
        ("name,email,city\n,a@b.co,\n", [Row("a@b.co", nil, [""])]),
        ("email\n  a@b.co\t\n", [Row("a@b.co")]),
        ("\"email\",\"name\"\n\"a@b.co\",\"Doe, Jane\"\n", [Row("a@b.co", "Doe, Jane")]),
        ("email,quote\na@b.co,\"say \"\"hi\"\"\"\n", [Row("a@b.co", nil, ["say \"hi\""])]),
        ("email,quote\na@b.co,\"\"\"\"\n", [Row("a@b.co", nil, ["\""])]),
        (
            "email,text\na@b.co,\"one\r\ntwo\nthree\"\r\nb@b.co,x",
            [
                Row("a@b.co", nil, ["one\r\ntwo\nthree"]), Row("b@b.co", nil, ["x"]),
            ]
        ),
        ("email,a,b\na@b.co,\"\",é\n", [Row("a@b.co", nil, ["", "é"])]),
        ("email,Plan,plan\na@b.co,1,2\n", [Row("a@b.co", nil, ["1", "2"])]),
        ("email,a\na@b.co, x \n", [Row("a@b.co", nil, [" x "])]),
    ]

    @Test func columnsBecomeVariablesOfTheirName() {
        let upload = Array("city,email,First Name\nRome,a@b.co,Jane\n".utf8)
        guard case .recipient(let recipient)? = events(of: upload, .csv).events.first else {
            Issue.record("the row was refused")
            return
        }
        #expect(recipient.variables == ["city": "Rome", "First Name": "Jane"])
        #expect(recipient.line == 2)
    }

    @Test("a bad row gives its error and spoils no other", arguments: badRows)
    func bad(row: String, error: LineError) {
        let found = events(of: Array("email,name,x\n\(row)\na@b.co,n,1\n".utf8), .csv)
        #expect(found.refused == nil)
        #expect(found.events.first == .invalidLine(2, error))
        #expect(found.events.count == 2)
        #expect(found.events.last.map(Self.row) == Row("a@b.co", "n", ["1"]))
    }

    static let badRows: [(String, LineError)] = [
        ("a@b.co,n", .csvRaggedRow(fields: 2, columns: 3)),
        ("a@b.co,n,1,2", .csvRaggedRow(fields: 4, columns: 3)),
        (" ", .csvRaggedRow(fields: 1, columns: 3)),
        (",,", .emailMissing),
        ("a,n,1", .address(.noDomain)),
        ("a@b.co,n,a\"b", .csvMalformed),
        ("a@b.co,n,a\"b\"", .csvMalformed),
        ("a@b.co,n,\"a\"b", .csvMalformed),
        ("a@b.co,n,\"a\" ", .csvMalformed),
        ("a@b.co,n,a\rb", .csvMalformed),
        ("a@b.co,a\tb,1", .nameControlCharacter),
        ("a@b.co,\"a\rb\",1", .nameControlCharacter),
        ("a@b.co,n\u{0},1", .nameControlCharacter),
        ("a@b.co,n,1\u{0}", .variableControlCharacter),
        ("a@b.co,n,\"\u{1B}\"", .variableControlCharacter),
        ("a\u{0}@b.co,n,1", .address(.controlCharacter)),
        ("\"a@b.co\r\",n,1", .address(.controlCharacter)),
        ("a@[10.0.0.1],n,1", .address(.domainIsAddressLiteral)),
    ]

    @Test func rowsAfterAQuotedLineBreakKeepTheirNumbers() {
        let upload = "email,x\na@b.co,\"1\n2\n3\"\nbad,1\nb@b.co,1\n"
        #expect(events(of: Array(upload.utf8), .csv).events.map(lineNumber) == [2, 5, 6])
    }

    @Test("an upload is refused as a whole", arguments: refusedUploads)
    func refused(upload: [UInt8], code: ImportError.Code, line: Int) {
        let refused = events(of: upload, .csv).refused
        #expect(refused?.code == code)
        #expect(refused?.line == line)
    }

    static let refusedUploads: [([UInt8], ImportError.Code, Int)] = [
        (Array("email,x\na@b.co,\"1\nb@b.co,2\n".utf8), .csvUnterminatedQuote, 2),
        (Array("email\n\"".utf8), .csvUnterminatedQuote, 2),
        (Array("\"email\n".utf8), .csvUnterminatedQuote, 1),
        (Array("name,x\na@b.co,1\n".utf8), .csvNoEmailColumn, 1),
        (Array("email;name\na@b.co;n\n".utf8), .csvNoEmailColumn, 1),
        (Array("a@b.co,Jane\n".utf8), .csvNoEmailColumn, 1),
        (Array("\nemail,,x\n".utf8), .csvBadHeader, 2),
        (Array("email,x,x\n".utf8), .csvBadHeader, 1),
        (Array("email,EMAIL\n".utf8), .csvBadHeader, 1),
        (Array("email,a\u{0}b\n".utf8), .csvBadHeader, 1),
        (Array("email,\"a\"b\n".utf8), .csvBadHeader, 1),
        (Array("email\ra@b.co\r".utf8), .csvBadHeader, 1),
        ([0xFF, 0xFE] + Array("email\n".utf8), .csvBadHeader, 1),
        (Array("email,\(String(repeating: "x", count: 70_000))\n".utf8), .csvBadHeader, 1),
        (Array("email,\((0...100).map { "v\($0)" }.joined(separator: ","))\n".utf8), .csvBadHeader, 1),
    ]

    @Test func anErrorNeverQuotesTheUpload() {
        for (upload, _, _) in Self.refusedUploads {
            #expect(events(of: upload, .csv).refused?.description.contains("b.co") == false)
        }
        for (row, _) in Self.badRows {
            for event in events(of: Array("email,name,x\n\(row)\n".utf8), .csv).events {
                guard case .invalidLine(_, let error) = event else { continue }
                #expect(!error.reason.contains("b.co"))
            }
        }
    }

    static func row(_ event: RecipientParser.Event) -> Row {
        guard case .recipient(let recipient) = event else { return Row("bad line") }
        return Row(
            recipient.address.text, recipient.name,
            recipient.variables.fields.map { field in
                if case .text(let text) = field.value { text } else { "not a text" }
            })
    }
}
