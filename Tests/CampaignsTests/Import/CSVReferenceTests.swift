import MailTypes
import TestSupport
import Testing

@testable import Campaigns

/// The CSV reader against a slow and simple one, and against what was written.
@Suite("CSV against a reference")
struct CSVReferenceTests {
    @Test(arguments: Seed.range(50..<58))
    func `random tables come back as they were written`(seed: Seed) {
        var random = ImportRandom(seed)
        for _ in 0..<60 {
            let columns = random.below(4)
            let rows = (0..<random.below(8)).map { _ in
                CSVTests.Row(
                    "a@example.org", nil,
                    (0..<columns).map { _ in random.text(upTo: 8, breaks: ["\n", "\r", "\t"]) })
            }
            var text = (["email"] + (0..<columns).map { "v\($0)" }).joined(separator: ",") + "\r\n"
            for row in rows {
                let fields = [row.address] + row.variables
                text += fields.map { quoted($0, &random) }.joined(separator: ",") + random.pick(["\n", "\r\n"])
            }
            let found = events(of: Array(text.utf8), .csv, chunk: 1 + random.below(40))
            #expect(found.refused == nil)
            #expect(found.events.map(CSVTests.row) == rows)
        }
    }

    private func quoted(_ field: String, _ random: inout ImportRandom) -> String {
        let mustQuote = field.utf8.contains { [0x22, 0x2C, 0x0D, 0x0A].contains($0) }
        guard mustQuote || random.once(in: 3) else { return field }
        return "\"" + field.replacing("\"", with: "\"\"") + "\""
    }

    @Test(arguments: Seed.range(500..<508))
    func `any soup of the characters that matter means the same to both`(seed: Seed) {
        var random = ImportRandom(seed)
        for _ in 0..<400 {
            let pieces = ["\"", "\"", ",", "\n", "\r", "x", "a@b.co"]
            let body = (0..<random.below(30)).map { _ in random.pick(pieces) }.joined()
            let found = events(of: Array("email,x\n\(body)".utf8), .csv)
            guard let expected = Reference.records(Array(body.utf8)) else {
                #expect(found.refused?.code == .csvUnterminatedQuote)
                continue
            }
            #expect(found.refused == nil)
            #expect(found.events.map(Self.summary) == expected.compactMap(Self.summary))
        }
    }

    /// Enough of an outcome to compare: the fields of a good row, or whether the row is malformed or ragged.
    private static func summary(_ event: RecipientParser.Event) -> String {
        switch event {
        case .recipient: "\(CSVTests.row(event).address)|\(CSVTests.row(event).variables)"
        case .invalidLine(_, .csvQuoteInField), .invalidLine(_, .csvTextAfterQuote): "malformed"
        case .invalidLine(_, .csvRaggedRow(let fields, _)): "ragged \(fields)"
        case .invalidLine: "bad address"
        case .needsMore: "?"
        }
    }

    private static func summary(_ record: Reference.Record) -> String? {
        guard let fields = record.fields else { return "malformed" }
        guard fields.contains(where: { $0 != "" }) else { return nil }
        guard fields.count >= 2, fields.dropFirst(2).allSatisfy(\.isEmpty) else { return "ragged \(fields.count)" }
        guard let address = try? EmailAddress(fields[0]) else { return "bad address" }
        return "\(address.text)|\([fields[1]])"
    }

    /// Reads a whole text at once by the grammar of RFC 4180, field by field. CR ends a record like LF.
    private enum Reference {
        struct Record {
            /// Nil where the record is malformed.
            var fields: [String]?
        }

        /// Nil where a quoted field is not closed.
        static func records(_ text: [UInt8]) -> [Record]? {
            var rest = text[...]
            var records: [Record] = []
            while !rest.isEmpty {
                var fields: [String] = []
                var record = Record()
                var isMalformed = false
                while true {
                    var content: [UInt8] = []
                    if rest.first == UInt8(ascii: "\"") {
                        rest.removeFirst()
                        while true {
                            guard let octet = rest.popFirst() else { return nil }
                            if octet != UInt8(ascii: "\"") {
                                content.append(octet)
                            } else if rest.first == UInt8(ascii: "\"") {
                                content.append(octet)
                                rest.removeFirst()
                            } else {
                                break
                            }
                        }
                        let tail = rest.prefix { ![0x2C, 0x0A, 0x0D].contains($0) }
                        rest = rest.dropFirst(tail.count)
                        if !tail.isEmpty { isMalformed = true }
                    } else {
                        let field = rest.prefix { ![0x2C, 0x0A, 0x0D].contains($0) }
                        rest = rest.dropFirst(field.count)
                        if field.contains(UInt8(ascii: "\"")) { isMalformed = true }
                        content = Array(field)
                    }
                    fields.append(String(decoding: content, as: UTF8.self))
                    if rest.popFirst() != UInt8(ascii: ",") { break }
                }
                record.fields = isMalformed ? nil : fields
                records.append(record)
            }
            return records
        }
    }
}
