import Feedback
import MailTypes
import Postgres
import Testing
import Vault

@testable import Campaigns

@Suite struct SuppressionListReaderTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let text: String
        let form: SuppressionListForm
        /// Address, reason, seconds since 1970.
        let entries: [(String, SuppressionReason, Int64?)]

        var testDescription: String { name }
    }

    static let samples = [
        Sample(
            name: "plain", text: "email\na@example.org\n\nb@example.org\n", form: .sluice,
            entries: [("a@example.org", .manual, nil), ("b@example.org", .manual, nil)]),
        Sample(
            name: "own columns, semicolons, CRLF",
            text: "Email;Reason;created_at\r\na@example.org;complaint;2026-11-21T08:00:00Z\r\nb@example.org;;\r\n",
            form: .sluice, entries: [("a@example.org", .complaint, 1_795_248_000), ("b@example.org", .manual, nil)]),
        Sample(
            name: "SES, as the command line prints it",
            text: """
                {
                    "SuppressedDestinationSummaries": [
                        {"EmailAddress": "a@example.org", "Reason": "BOUNCE", "LastUpdateTime": "2020-04-10T21:03:05+00:00"},
                        {"EmailAddress": "b@example.org", "Reason": "COMPLAINT", "LastUpdateTime": 1586552585.077}
                    ],
                    "NextToken": "x"
                }
                """, form: .ses,
            entries: [("a@example.org", .hardBounce, 1_586_552_585), ("b@example.org", .complaint, 1_586_552_585)]),
        Sample(
            name: "SES, a line each",
            text: """
                {"EmailAddress":"a@example.org","Reason":"BOUNCE"}
                {"SuppressedDestinationSummaries":[{"EmailAddress":"b@example.org","Reason":"COMPLAINT"}]}
                """, form: .ses, entries: [("a@example.org", .hardBounce, nil), ("b@example.org", .complaint, nil)]),
        Sample(
            name: "SendGrid, bounces",
            text: """
                status,reason,email,created
                5.1.1,"550 5.1.1 said ""no such user"", sorry",a@example.org,1586552585
                """, form: .sendgrid, entries: [("a@example.org", .hardBounce, 1_586_552_585)]),
        Sample(
            name: "SendGrid, invalid addresses",
            text: "email,reason,created\na@example.org,Mail domain unknown,1586552585\n",
            form: .sendgrid, entries: [("a@example.org", .hardBounce, 1_586_552_585)]),
        Sample(
            name: "SendGrid, spam reports", text: "ip,email,created\n192.0.2.1,a@example.org,1586552585\n",
            form: .sendgrid,
            entries: [("a@example.org", .complaint, 1_586_552_585)]),
        Sample(
            name: "SendGrid, unsubscribes", text: "email,created\na@example.org,1586552585\n", form: .sendgrid,
            entries: [("a@example.org", .unsubscribe, 1_586_552_585)]),
        Sample(
            name: "Mailgun, bounces",
            text:
                "address,code,error,created_at\na@example.org,550,No such mailbox,\"Fri, 21 Oct 2011 11:02:55 GMT\"\n",
            form: .mailgun, entries: [("a@example.org", .hardBounce, 1_319_194_975)]),
        Sample(
            name: "Mailgun, unsubscribes",
            text: "address,tags,created_at\na@example.org,*,\"Fri, 21 Oct 2011 11:02:55 UTC\"\n", form: .mailgun,
            entries: [("a@example.org", .unsubscribe, 1_319_194_975)]),
        Sample(
            name: "Mailgun, complaints", text: "address,created_at\na@example.org,2011-10-21T11:02:55Z\n",
            form: .mailgun,
            entries: [("a@example.org", .complaint, 1_319_194_975)]),
        Sample(
            name: "Postmark, JSON",
            text: """
                {"Suppressions":[
                 {"EmailAddress":"a@example.org","SuppressionReason":"ManualSuppression","Origin":"Recipient",
                  "CreatedAt":"2019-12-17T08:58:33-05:00"},
                 {"EmailAddress":"b@example.org","SuppressionReason":"HardBounce","Origin":"Recipient",
                  "CreatedAt":"2019-12-17T08:58:33-05:00"},
                 {"EmailAddress":"c@example.org","SuppressionReason":"ManualSuppression","Origin":"Customer",
                  "CreatedAt":"2019-12-17T08:58:33-05:00"}]}
                """, form: .postmark,
            entries: [
                ("a@example.org", .unsubscribe, 1_576_591_113), ("b@example.org", .hardBounce, 1_576_591_113),
                ("c@example.org", .manual, 1_576_591_113),
            ]),
        Sample(
            name: "Postmark, CSV",
            text: """
                EmailAddress,SuppressionReason,Origin,CreatedAt
                a@example.org,SpamComplaint,Recipient,2019-12-17T08:58:33-05:00
                """, form: .postmark, entries: [("a@example.org", .complaint, 1_576_591_113)]),
        Sample(
            name: "Mailchimp, cleaned",
            text: """
                "Email Address","First Name",MEMBER_RATING,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,LEID,EUID
                a@example.org,Ada,2,"2019-05-30 15:55:31","May, again",1,x
                """, form: .mailchimp, entries: [("a@example.org", .hardBounce, 1_559_231_731)]),
        Sample(
            name: "Mailchimp, unsubscribed",
            text: """
                "Email Address",UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON,UNSUB_REASON_OTHER
                a@example.org,"2019-05-30 15:55:31",May,"No longer interested",
                b@example.org,"2019-05-30 15:55:31",May,"The emails are spam and should be reported",
                """, form: .mailchimp,
            entries: [("a@example.org", .unsubscribe, 1_559_231_731), ("b@example.org", .complaint, 1_559_231_731)]),
    ]

    @Test(arguments: samples) func `lists of each kind are known by their columns`(sample: Sample) throws {
        let file = try SuppressionListReader.read(Array(sample.text.utf8))
        #expect(file.form == sample.form)
        #expect(file.report.errors == [])
        #expect(
            file.entries.map { entry in
                guard case .address(let address) = entry.subject else { return "" }
                return "\(address.text) \(entry.reason) \(entry.createdAt.map { "\($0.seconds)" } ?? "-")"
            } == sample.entries.map { "\($0.0) \($0.1) \($0.2.map { "\($0)" } ?? "-")" })
    }

    @Test func `each line that cannot be taken is named, and the others are read`() throws {
        let text = """
            email,reason,created_at,note,fingerprint
            a@example.org,unsubscribe,,,
            b@@example.org,,,,
            c@example.org,because,,,
            d@example.org,,yesterday,,
            ,,,,
            ,manual,,,00112233445566778899aabbccddeeff
            ,manual,,,0011
            ,manual,,,
            h@example.org,,,\(String(repeating: "n", count: 501)),
            i@example.org,complaint
            "j"@example.org,,,,
            k@example.org,complaint,2026-11-21,good,
            """
        let file = try SuppressionListReader.read(Array(text.utf8))
        #expect(
            file.report.errors.map { "\($0.line) \($0.column ?? 0) \($0.code)" } == [
                "3 1 address_invalid_character", "4 2 suppression_reason_unknown", "5 3 suppression_time_invalid",
                "8 5 fingerprint_invalid", "9 0 email_missing", "10 4 invalid_suppression_note", "11 0 csv_ragged_row",
                "12 1 csv_malformed",
            ])
        #expect(file.report.invalid == 8)
        #expect(file.entries.count == 3)
        #expect(
            file.entries[1]
                == ListedAddress(
                    .fingerprint(Fingerprint(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF)), .manual))
        #expect(file.entries[2].note == "good")
    }

    @Test func `a bounce that was for now is no reason`() throws {
        let text =
            "status,reason,email,created\n4.2.2,full,a@example.org,1586552585\n5.1.1,gone,b@example.org,1586552585\n"
        let file = try SuppressionListReader.read(Array(text.utf8))
        #expect(file.report.errors.map(\.code) == ["bounce_not_permanent"])
        #expect(file.entries.count == 1)
    }

    @Test func `a reason that is given holds where lines do not say theirs`() throws {
        func reasons(_ text: String) throws -> [SuppressionReason] {
            try SuppressionListReader.read(Array(text.utf8), reason: .complaint).entries.map(\.reason)
        }
        #expect(try reasons("email\na@example.org\n") == [.complaint])
        #expect(try reasons("email,created\na@example.org,1586552585\n") == [.complaint])
        #expect(try reasons("email,reason\na@example.org,manual\nb@example.org,\n") == [.manual, .complaint])
        #expect(try reasons(#"{"EmailAddress":"a@example.org","Reason":"BOUNCE"}"#) == [.hardBounce])
    }

    @Test func `blank lines are passed, however many, and counted`() throws {
        let blank = String(repeating: "\n", count: 1 << 20)
        let text = blank + #"{"EmailAddress":"a@example.org","Reason":"BOUNCE"}"# + "\n{\n\n"
        let file = try SuppressionListReader.read(Array(text.utf8))
        #expect(file.entries.map(\.reason) == [.hardBounce])
        #expect(file.report.errors.map { "\($0.line) \($0.code)" } == ["1048578 json_malformed"])
        let nothing = try SuppressionListReader.read([UInt8](repeating: 0x0A, count: 1 << 16))
        #expect(nothing.entries.isEmpty && nothing.report.invalid == 0)
    }

    /// A MiB of marks that belong in another order.
    private static let marks = String(repeating: "\u{301}\u{323}", count: 1 << 18)

    @Test func `words that are long or not ASCII mean nothing, and are not compared`() throws {
        func codes(_ text: String) throws -> [String] {
            try SuppressionListReader.read(Array(text.utf8)).report.errors.map { "\($0.code)" }
        }
        let unknown = ["suppression_reason_unknown"]
        let long = String(repeating: "-", count: 64)
        #expect(try codes("email,reason\na@example.org,manual\(long)\n") == unknown)
        #expect(try codes("email,reason\na@example.org,manuäl\n") == unknown)
        #expect(try codes("email,reason\na@example.org,--manual--\n").isEmpty)
        let start = ContinuousClock.now
        #expect(try codes(#"{"EmailAddress":"a@example.org","Reason":"BOUNC\#(Self.marks)"}"#) == unknown)
        #expect(
            try codes(#"{"EmailAddress":"a@example.org","Reason":"BOUNCE","Origin":"recip\#(Self.marks)"}"#).isEmpty)
        let taken = ContinuousClock.now - start
        #expect(taken < .seconds(20))
    }

    @Test func `long words for why somebody left are no complaint`() throws {
        let text = "Email Address,UNSUB_TIME,UNSUB_REASON\na@example.org,2019-05-30 15:55:31,spam"
        let file = try SuppressionListReader.read(Array((text + String(repeating: "-", count: 64) + "\n").utf8))
        #expect(file.entries.map(\.reason) == [.unsubscribe])
        #expect(try SuppressionListReader.read(Array(text.utf8)).entries.map(\.reason) == [.complaint])
    }

    @Test func `a long name is not hashed`() {
        let text = #"{"EmailAddress":"a@example.org","Reason\#(Self.marks)":"BOUNCE"}"#
        #expect(throws: ImportError.self) { try SuppressionListReader.read(Array(text.utf8)) }
    }

    @Test(arguments: [
        "", "a@example.org\nb@example.org\n", "name,city\nAda,London\n", "[1, 2", #"{"a": {}"#,
        String(repeating: "[", count: 100_000), "PK\u{3}\u{4}aaaaaaaa",
    ])
    func `what is no list is refused, or empty`(text: String) {
        do {
            let file = try SuppressionListReader.read(Array(text.utf8))
            #expect(file.entries.isEmpty && file.report.invalid == 0 && text.isEmpty)
        } catch {
            #expect([.csvNoEmailColumn, .wrongFormat].contains(error.code))
        }
    }

    @Test(
        arguments: [
            ("1586552585", 1_586_552_585_000_000), ("1586552585.5", 1_586_552_585_500_000),
            ("1586552585077", 1_586_552_585_077_000), ("2020-04-10T21:03:05Z", 1_586_552_585_000_000),
            ("2020-04-10T21:03:05.077+00:00", 1_586_552_585_077_000), ("2020-04-10 21:03:05", 1_586_552_585_000_000),
            ("2020-04-10 17:03:05 -0400", 1_586_552_585_000_000), ("2020-04-10", 1_586_476_800_000_000),
            ("Fri, 10 Apr 2020 21:03:05 GMT", 1_586_552_585_000_000),
            ("10 Apr 2020 23:03:05 +0200", 1_586_552_585_000_000),
            ("yesterday", nil), ("2020-13-10", nil), ("2020-04-10 25:00:00", nil), ("1960-01-01", nil), ("-5", nil),
            ("10/04/2020", nil), ("2021-02-29", nil), ("31 Apr 2020 21:03:05 GMT", nil), ("2020-04-10T21:03:05+", nil),
            ("", nil), ("1e400", nil),
        ] as [(String, Int64?)])
    func `times are read as lists write them`(text: String, microseconds: Int64?) {
        #expect(ListedTime.read(text)?.microseconds == microseconds)
    }

    @Test func `an export is read again as it was`() throws {
        let suppressions = [
            Suppression(
                fingerprint: Fingerprint(high: 1, low: 2), address: try EmailAddress(#""a,b"@example.org"#),
                reason: .unsubscribe, origin: .customer, note: #"asked, "twice""#,
                createdAt: PostgresTimestamp(microseconds: 1_586_552_585_000_001)),
            Suppression(
                fingerprint: Fingerprint(high: .max, low: 3), address: nil, reason: .hardBounce, origin: .reply,
                note: nil,
                createdAt: PostgresTimestamp(microseconds: 1_586_552_585_990_000)),
        ]
        let text = SuppressionExport.header + suppressions.map(SuppressionExport.row).joined()
        let file = try SuppressionListReader.read(Array(text.utf8))
        #expect(file.form == .sluice && file.report.errors == [])
        #expect(
            file.entries == [
                ListedAddress(
                    .address(try EmailAddress(#""a,b"@example.org"#)), .unsubscribe, note: #"asked, "twice""#,
                    createdAt: PostgresTimestamp(microseconds: 1_586_552_585_000_001)),
                ListedAddress(
                    .fingerprint(Fingerprint(high: .max, low: 3)), .hardBounce,
                    createdAt: PostgresTimestamp(microseconds: 1_586_552_585_990_000)),
            ])
    }
}
