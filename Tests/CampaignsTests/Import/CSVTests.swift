import MailMessage
import MailTypes
import TestSupport
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

    @Test(arguments: goodUploads)
    func `a good upload gives its recipients`(upload: String, expected: [Row]) {
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
        ("Email, Name \na@b.co,Jane\n", [Row("a@b.co", "Jane", ["a@b.co", "Jane"])]),
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
        // Line ends: of old Macs, mixed, doubled by a careless transfer.
        ("email,a\ra@b.co,1\rb@b.co,2\r", [Row("a@b.co", nil, ["1"]), Row("b@b.co", nil, ["2"])]),
        ("email,a\ra@b.co,\"1\r2\"\rb@b.co,2", [Row("a@b.co", nil, ["1\r2"]), Row("b@b.co", nil, ["2"])]),
        ("email\ra@b.co\nb@b.co\r\nc@b.co", [Row("a@b.co"), Row("b@b.co"), Row("c@b.co")]),
        ("email\r\r\na@b.co\r\r\n", [Row("a@b.co")]),
        // Separators, found out.
        ("email;name\na@b.co;\"Doe; Jane\"\n", [Row("a@b.co", "Doe; Jane")]),
        ("email;name;amount\na@b.co;Jane;1,50\n", [Row("a@b.co", "Jane", ["1,50"])]),
        ("name\temail\nDoe, Jane\ta@b.co\n", [Row("a@b.co", "Doe, Jane")]),
        ("email|name\na@b.co|J;D\n", [Row("a@b.co", "J;D")]),
        ("sep=;\r\nemail;name\r\na@b.co;Jane\r\n", [Row("a@b.co", "Jane")]),
        ("\"sep=\t\"\nemail\tname\na@b.co\tJane\n", [Row("a@b.co", "Jane")]),
        ("\"a,b,c\";email\n1;a@b.co\n", [Row("a@b.co", nil, ["1"])]),
        // Spellings of the column of addresses.
        ("E-Mail\na@b.co\n", [Row("a@b.co", nil, ["a@b.co"])]),
        ("Email Address\na@b.co\n", [Row("a@b.co", nil, ["a@b.co"])]),
        ("EMAIL\nA@B.co\n", [Row("A@b.co", nil, ["A@b.co"])]), ("e_mail\na@b.co\n", [Row("a@b.co", nil, ["a@b.co"])]),
        ("email_address,Name\na@b.co,J\n", [Row("a@b.co", "J", ["a@b.co", "J"])]),
        ("Mail;NAME\na@b.co;\n", [Row("a@b.co", nil, ["a@b.co"])]),
        ("E-Mail-Adresse\na@b.co\n", [Row("a@b.co", nil, ["a@b.co"])]),
        ("Adresse e-mail\na@b.co\n", [Row("a@b.co", nil, ["a@b.co"])]),
        ("E-Mail,email\nx,a@b.co\n", [Row("a@b.co", nil, ["x"])]),
        ("\u{A0}email\u{A0},name\na@b.co,J\n", [Row("a@b.co", "J")]),
        // Columns and rows that a sheet only seems to have.
        ("email,name,,\na@b.co,Jane,,\n", [Row("a@b.co", "Jane")]),
        (",email,,name\n,a@b.co, ,Jane\n", [Row("a@b.co", "Jane")]),
        ("email,name\na@b.co,Jane,,\n,\n, \nb@b.co,\n", [Row("a@b.co", "Jane"), Row("b@b.co")]),
        // Names on one line.
        ("email,name\na@b.co,\" Jane Doe\r\n\"\n", [Row("a@b.co", "Jane Doe")]),
        ("email,name\na@b.co,\"Jane\r\n\tDoe\"\n", [Row("a@b.co", "Jane Doe")]),
        ("email,name\na@b.co,\"Jane\rDoe\u{2028}\"\n", [Row("a@b.co", "Jane Doe")]),
        ("email,name\na@b.co,\u{A0}Jane  Doe\u{3000}\n", [Row("a@b.co", "Jane  Doe")]),
        ("email,name\na@b.co,\"\n\"\n", [Row("a@b.co")]),
        ("email\n\u{A0}a@b.co\n\u{200B}b@b.co\nc@b.co\u{A0}\n", [Row("a@b.co"), Row("b@b.co"), Row("c@b.co")]),
    ]

    @Test(arguments: CSVSeparator.allCases)
    func `a separator that is said is taken at its word`(separator: CSVSeparator) {
        let line = ["a@b.co", "x;y|z,w".filter { String($0) != separator.rawValue }].joined(
            separator: separator.rawValue)
        let upload = ["email", "v"].joined(separator: separator.rawValue) + "\n" + line
        let found = events(of: Array(upload.utf8), UploadForm(.csv, separator: separator))
        #expect(found.events.map(Self.row).map(\.address) == ["a@b.co"])
        #expect(
            found.events.map(Self.row).map(\.variables) == [["x;y|z,w".filter { String($0) != separator.rawValue }]])
        let other: CSVSeparator = separator == .comma ? .pipe : .comma
        #expect(events(of: Array(upload.utf8), UploadForm(.csv, separator: other)).refused != nil)
    }

    @Test func `columns become variables of their name`() {
        let upload = Array("city,email,First Name\nRome,a@b.co,Jane\n".utf8)
        guard case .recipient(let recipient)? = events(of: upload, .csv).events.first else {
            Issue.record("the row was refused")
            return
        }
        #expect(recipient.variables == ["city": "Rome", "First Name": "Jane"])
        #expect(recipient.line == 2)
    }

    @Test(arguments: ["Name", "NAME", " nAme "])
    func `names and addresses are variables under the spelling of their column too`(spelling: String) {
        let upload = Array("E-Mail,\(spelling)\n A@b.co , Jane \nb@b.co,No\nc@b.co,\n".utf8)
        let key = spelling.filter { $0 != " " }
        let recipients = events(of: upload, .csv).events.compactMap { event in
            if case .recipient(let recipient) = event { recipient } else { nil }
        }
        #expect(recipients.map(\.name) == ["Jane", "No", nil])
        #expect(
            recipients.map(\.variables) == [
                ["E-Mail": "A@b.co", key: "Jane"], ["E-Mail": "b@b.co", key: "No"], ["E-Mail": "c@b.co"],
            ])
    }

    @Test(arguments: [
        "false", "FALSE", "False", " false ", "no", "No", "NO", "0", "off", "Off", " 0\u{A0}", " ", "\u{3000}", "\t",
    ])
    func `a cell that says no is false and stays text`(cell: String) {
        #expect(Self.value(of: cell) == .falseText(cell))
        #expect(Self.value(of: "\"\(cell)\"") == .falseText(cell))
    }

    @Test(arguments: [
        "true", "yes", "1", "00", "0.0", "-0", "none", "nope", "n o", "offf", "falsey", "not false", "ＮＯ", "nö", "",
    ])
    func `another cell is not`(cell: String) {
        #expect(Self.value(of: cell) == .text(cell))
    }

    private static func value(of cell: String) -> MergeValue? {
        guard case .recipient(let recipient)? = events(of: Array("email,vip\na@b.co,\(cell)\n".utf8), .csv).events.first
        else { return nil }
        return recipient.variables["vip"]
    }

    @Test(arguments: badRows)
    func `a bad row gives its error and spoils no other`(row: String, error: LineError) {
        let found = events(of: Array("email,name,x\n\(row)\na@b.co,n,1\n".utf8), .csv)
        #expect(found.refused == nil)
        #expect(found.events.first == .invalidLine(2, error))
        #expect(found.events.count == 2)
        #expect(found.events.last.map(Self.row) == Row("a@b.co", "n", ["1"]))
    }

    static let badRows: [(String, LineError)] = [
        ("a@b.co,n", .csvRaggedRow(fields: 2, columns: 3)),
        ("a@b.co,n,1,2", .csvRaggedRow(fields: 4, columns: 3)),
        ("x", .csvRaggedRow(fields: 1, columns: 3)),
        (",n,", .emailMissing), (" ,n,1", .emailMissing),
        ("a,n,1", .cell(column: 1, .address(.noDomain))),
        ("a@b.co,n,a\"b", .csvQuoteInField(column: 3, character: 11)),
        ("a@b.co,é,a\"b\"", .csvQuoteInField(column: 3, character: 11)),
        ("a@b.co, \"n\",1", .csvQuoteInField(column: 2, character: 9)),
        ("a@b.co,n,\"a\"b", .csvTextAfterQuote(column: 3, character: 13)),
        ("a@b.co,n,\"a\" ", .csvTextAfterQuote(column: 3, character: 13)),
        ("a@b.co,n\u{0},1", .cell(column: 2, .nameControlCharacter("\u{0}"))),
        ("a@b.co,n\u{9B}x,1", .cell(column: 2, .nameControlCharacter("\u{9B}"))),
        ("a@b.co,\(String(repeating: "n", count: 257)),1", .cell(column: 2, .nameTooLong)),
        ("a@b.co,n,1\u{0}", .cell(column: 3, .variableControlCharacter("\u{0}"))),
        ("a@b.co,n,\"\u{1B}\"", .cell(column: 3, .variableControlCharacter("\u{1B}"))),
        ("a\u{0}@b.co,n,1", .cell(column: 1, .address(.character("\u{0}", .localPart)))),
        ("\"a@b\r.co\",n,1", .cell(column: 1, .address(.character("\r", .domain)))),
        ("a\u{200B}b@b.co,n,1", .cell(column: 1, .address(.character("\u{200B}", .localPart)))),
        ("a@[10.0.0.1],n,1", .cell(column: 1, .address(.domainIsAddressLiteral))),
    ]

    @Test(arguments: ["\n", "\r\n", "\r"])
    func `rows after a quoted line break keep their numbers`(lineBreak: String) {
        let upload = "email,x\na@b.co,\"1\n2\n3\"\nbad,1\nb@b.co,1\n".replacing("\n", with: lineBreak)
        for chunk in [1, 2, 3, 5, 1_000] {
            #expect(events(of: Array(upload.utf8), .csv, chunk: chunk).events.map(lineNumber) == [2, 5, 6])
        }
    }

    @Test func `text in a column without a name is refused by the column's number`() {
        let found = events(of: Array("email,,x,\na@b.co,,1,\nb@b.co,,1,y\n".utf8), .csv)
        #expect(found.events.last == .invalidLine(3, .cell(column: 4, .csvUnnamedColumn)))
        #expect(found.events.count == 2)
    }

    @Test(arguments: [
        ("email,x,y,x\n", "line 1, column 4: columns 2 and 4 have the same name"),
        ("name,email,Email\n", "line 1, column 3: columns 2 and 3 are both named email"),
        ("E-Mail,Mail\n", "line 1, column 2: columns 1 and 2 may both hold the addresses; name one of them email"),
        (
            "\nemail,a\u{1}b\n",
            "line 2, column 2: the header row is refused: the name of a variable holds the control character U+0001"
        ),
        (
            "email,a\"b\n",
            "line 1: the header row is refused: column 2: a quote stands inside an unquoted field, at character 8; put the field in quotes and double those inside"
        ),
        (
            "name;city\n",
            "line 1: none of the 2 columns is named email; columns are separated by comma, semicolon, tab or |"
        ),
        (
            "people\n",
            "line 1: the only column is not named email; columns are separated by comma, semicolon, tab or |"
        ),
        (
            "Ada,a@b.co\n",
            "line 1, column 2: the first row holds an address; a header row that names the columns, one of them email, comes first"
        ),
        ("email\na@b.co\n\"b@b.co\n", "line 3, column 1: a quote opens here and is not closed before the end"),
        ("email,x\na@b.co,\"1\n2\",\"\n", "line 3, column 3: a quote opens here and is not closed before the end"),
    ])
    func `the refusal of a header names line, column and cause`(upload: String, expected: String) {
        #expect(events(of: Array(upload.utf8), .csv).refused?.description == expected)
    }

    @Test(arguments: [
        (
            "{\"email\":\"a@b.co\"}\n", UploadForm.csv,
            "the upload is JSON, not CSV; send it as application/x-ndjson"
        ),
        (
            "[{\"email\":\"a@b.co\"}]", .csv,
            "the upload is a JSON array; send one object a line, without brackets and commas, as application/x-ndjson"
        ),
        (
            "[\n  {\"email\":\"a@b.co\"}\n]", .ndjson,
            "the upload is a JSON array; send one object a line, without brackets and commas, as application/x-ndjson"
        ),
        ("email,name\na@b.co,A\n", .ndjson, "the upload is CSV, not NDJSON; send it as text/csv"),
        ("\nName;E-Mail\n", .ndjson, "the upload is CSV, not NDJSON; send it as text/csv"),
        ("<!DOCTYPE html>\n", .csv, "the upload is HTML or XML, not CSV"),
        (
            "PK\u{3}\u{4}\u{14}", .csv,
            "the upload is a ZIP archive or a spreadsheet (XLSX, ODS); save the list as CSV in UTF-8"
        ),
        ("%PDF-1.7", .ndjson, "the upload is a PDF document; save the list as CSV in UTF-8"),
    ])
    func `what is not the format it is said to be is told as what it is`(
        upload: String, form: UploadForm, expected: String
    ) {
        for chunk in [1, 3, 1_000] {
            let refused = events(of: Array(upload.utf8), form, chunk: chunk).refused
            #expect(refused?.code == .wrongFormat)
            #expect(refused?.detail == expected)
        }
    }

    @Test(arguments: refusedUploads)
    func `an upload is refused as a whole`(upload: Octets, code: ImportError.Code, line: Int) {
        let refused = events(of: upload.bytes, .csv).refused
        #expect(refused?.code == code)
        #expect(refused?.line == line)
    }

    static let refusedUploads: [(Octets, ImportError.Code, Int)] = [
        (Octets("email,x\na@b.co,\"1\nb@b.co,2\n"), .csvUnterminatedQuote, 2),
        (Octets("email\n\""), .csvUnterminatedQuote, 2),
        (Octets("\"email\n"), .csvUnterminatedQuote, 1),
        (Octets("name,x\na@b.co,1\n"), .csvNoEmailColumn, 1),
        (Octets("a@b.co,Jane\n"), .csvNoEmailColumn, 1),
        (Octets("email,x,x\n"), .csvBadHeader, 1),
        (Octets("email,EMAIL\n"), .csvBadHeader, 1),
        (Octets("email,a\u{0}b\n"), .csvBadHeader, 1),
        (Octets("email,\"a\"b\n"), .csvBadHeader, 1),
        (Octets([0xFF, 0xFE] + Array("email\n".utf8)), .csvNoEmailColumn, 1),
        (Octets("email,\(String(repeating: "x", count: 70_000))\n"), .csvBadHeader, 1),
        (Octets("email,\((0...100).map { "v\($0)" }.joined(separator: ","))\n"), .csvBadHeader, 1),
    ]

    @Test func `an error never quotes the upload`() {
        for (upload, _, _) in Self.refusedUploads {
            #expect(events(of: upload.bytes, .csv).refused?.description.contains("b.co") == false)
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
                switch field.value {
                case .text(let text), .falseText(let text): text
                default: "not a text"
                }
            })
    }
}
