package import Feedback
import FoundationEssentials
import MailTypes
import Postgres
import Vault

/// What a file of suppressed addresses holds.
package struct SuppressionFile: Sendable {
    package fileprivate(set) var form = SuppressionListForm.sluice
    package fileprivate(set) var entries: [ListedAddress] = []
    /// What was not taken, by line.
    package fileprivate(set) var report = ImportReport()

    fileprivate mutating func add(_ entry: ListedAddress) {
        entries.append(entry)
        report.accepted += 1
    }
}

/// Reads lists of suppressed addresses that other services export, and our own: CSV with a header row, JSON, or a JSON
/// value each line. What it is shows in the names of columns and members (``SuppressionListForm``).
///
/// A line that cannot be taken is told of, and those after it are read as ever.
package struct SuppressionListReader: Sendable {
    /// Octets of the name of a member, as it is written.
    private static let nameOctets = 512

    private let reason: SuppressionReason?
    private var file = SuppressionFile()

    /// - Parameter reason: of entries whose list does not say which, and in place of what the kind of list suggests; nil:
    ///   manual.
    package static func read(
        _ octets: [UInt8], reason: SuppressionReason? = nil
    ) throws(ImportError) -> SuppressionFile {
        var reader = SuppressionListReader(reason: reason)
        let first = octets.first { $0 > 0x20 && ![0xEF, 0xBB, 0xBF].contains($0) }
        if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
            try reader.readJSON(octets)
        } else {
            try reader.readCSV(octets)
        }
        return reader.file
    }

    private init(reason: SuppressionReason?) { self.reason = reason }

    private mutating func refuse(_ line: Int, _ error: LineError) { file.report.addInvalid(line: line, error) }

    private mutating func add(_ entry: ListedAddress, _ line: Int) throws(ImportError) {
        guard file.entries.count < ImportLimits.suppressions else {
            throw ImportError(
                .tooManyRecipients, line: line, "a list has at most \(ImportLimits.suppressions) addresses; divide it")
        }
        file.add(entry)
    }

    // MARK: CSV

    private mutating func readCSV(_ octets: [UInt8]) throws(ImportError) {
        var decoder = CharsetDecoder(nil)
        var framer = RecordFramer(format: .ndjson)
        framer.feed(octets, through: &decoder)
        framer.end(&decoder)
        if let binary = decoder.binary {
            throw ImportError(.wrongFormat, line: 1, "the list is \(binary.rawValue); save it as CSV in UTF-8")
        }
        var table: (columns: SuppressionColumns, separator: CSVSeparator, width: Int)?
        while true {
            switch try framer.next() {
            case .needsMore: return
            case .tooLong(let line): refuse(line, .tooLong)
            case .record(let range, let line):
                let buffer = framer.buffer
                let record = buffer.span.extracting(range)
                if LineText.trimmed(record).isEmpty { continue }
                if let table {
                    let found: ListedAddress?
                    do throws(LineError) {
                        found = try entry(record, table.columns, table.separator, table.width)
                    } catch {
                        refuse(line, error.located(in: record, charset: decoder.charset))
                        continue
                    }
                    if let found { try add(found, line) }
                } else {
                    let header = try Self.header(record, line)
                    table = header
                    file.form = header.columns.form
                    framer.readCSV(separatedBy: header.separator)
                }
            }
        }
    }

    /// The columns by the separator that shows addresses.
    private static func header(
        _ record: Span<UInt8>, _ line: Int
    ) throws(ImportError) -> (columns: SuppressionColumns, separator: CSVSeparator, width: Int) {
        var best: (columns: SuppressionColumns, separator: CSVSeparator, width: Int)?
        for separator in CSVSeparator.allCases {
            var row = CSVRow(separator)
            guard (try? row.split(record)) != nil else { continue }
            let names = row.fields.map { (try? row.value($0, of: record, LineText.string)) ?? "" }
            guard let columns = SuppressionColumns(names) else { continue }
            if names.count > best?.width ?? 0 { best = (columns, separator, names.count) }
        }
        guard let best else {
            throw ImportError(
                .csvNoEmailColumn, line: line,
                "a header row that names the columns, one of them email, comes first; columns are separated by comma, semicolon, tab or |"
            )
        }
        return best
    }

    /// Nil where all cells are blank.
    private func entry(
        _ record: Span<UInt8>, _ columns: SuppressionColumns, _ separator: CSVSeparator, _ width: Int
    ) throws(LineError) -> ListedAddress? {
        var row = CSVRow(separator)
        try row.split(record)
        guard !row.fields.allSatisfy({ CSVLine.isBlank($0, record) }) else { return nil }
        guard row.fields.count >= width else { throw .csvRaggedRow(fields: row.fields.count, columns: width) }
        func text(_ column: Int?) throws(LineError) -> String? {
            guard let column, !CSVLine.isBlank(row.fields[column], record) else { return nil }
            do throws(LineError) {
                return try row.value(row.fields[column], of: record, Self.trimmedText)
            } catch {
                throw .cell(column: column + 1, error)
            }
        }
        func located<Value>(_ column: Int?, _ make: () throws(LineError) -> Value) throws(LineError) -> Value {
            do throws(LineError) {
                return try make()
            } catch {
                throw Self.error(error, in: column)
            }
        }
        if try text(columns.status)?.utf8.first == UInt8(ascii: "4") {
            throw Self.error(.bounceNotPermanent, in: columns.status)
        }
        let (email, mark) = (try text(columns.email), try text(columns.fingerprint))
        let named = email != nil ? columns.email : mark != nil ? columns.fingerprint : nil
        let subject = try located(named) { () throws(LineError) in
            try Self.subject(email, mark)
        }
        let isByRecipient = ListedWord.isRecipient(try text(columns.origin))
        let word = try text(columns.reason)
        let reason = try located(columns.reason) { () throws(LineError) in
            try self.reason(word, columns, isByRecipient)
        }
        let time = try text(columns.createdAt)
        let createdAt = try located(columns.createdAt) { () throws(LineError) in try Self.time(time) }
        let note = try text(columns.note)
        if let note, !SuppressionLimits.isNote(note) { throw Self.error(.suppressionNote, in: columns.note) }
        return ListedAddress(subject, reason, note: note, createdAt: createdAt)
    }

    private static func error(_ error: LineError, in column: Int?) -> LineError {
        column.map { .cell(column: $0 + 1, error) } ?? error
    }

    private static func trimmedText(_ octets: Span<UInt8>) throws(LineError) -> String {
        try LineText.string(octets.extracting(LineText.trimmed(octets)))
    }

    // MARK: What entries say

    private static func subject(_ email: String?, _ mark: String?) throws(LineError) -> ListedAddress.Subject {
        if let email {
            do {
                return .address(try EmailAddress(email))
            } catch {
                throw .address(error)
            }
        }
        guard let mark else { throw .emailMissing }
        guard let fingerprint = Fingerprint(hexadecimal: mark) else { throw .suppressionFingerprint }
        return .fingerprint(fingerprint)
    }

    private func reason(
        _ word: String?, _ columns: SuppressionColumns, _ isByRecipient: Bool
    ) throws(LineError) -> SuppressionReason {
        let ofList = reason ?? columns.reasonOfList ?? .manual
        guard let word else { return ofList }
        // People's own words for why they left: only one of them matters.
        if columns.form == .mailchimp {
            return ListedWord.tellsOfSpam(word) ? .complaint : ofList
        }
        guard let reason = SuppressionReason(listed: word, isByRecipient: isByRecipient) else {
            throw .suppressionReason
        }
        return reason
    }

    private static func time(_ text: String?) throws(LineError) -> PostgresTimestamp? {
        guard let text else { return nil }
        guard let time = ListedTime.read(text) else { throw .suppressionTime }
        return time
    }

    // MARK: JSON

    /// An entry of SES or Postmark, or a page of them.
    private struct Value: Decodable {
        struct Entry: Decodable {
            let EmailAddress: String?
            let Reason: String?
            let SuppressionReason: String?
            let Origin: String?
            let LastUpdateTime: Time?
            let CreatedAt: Time?
        }

        enum Time: Decodable {
            case text(String)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let number = try? container.decode(Double.self) {
                    self = .text("\(number)")
                } else {
                    self = .text(try container.decode(String.self))
                }
            }

            var text: String {
                switch self {
                case .text(let text): text
                }
            }
        }

        let entries: [Entry]

        private enum Key: String, CodingKey {
            case SuppressedDestinationSummaries, Suppressions
        }

        init(from decoder: any Decoder) throws {
            if let list = try? [Entry](from: decoder) {
                entries = list
                return
            }
            let container = try decoder.container(keyedBy: Key.self)
            for key in [Key.SuppressedDestinationSummaries, .Suppressions] where container.contains(key) {
                entries = try container.decode([Entry].self, forKey: key)
                return
            }
            entries = [try Entry(from: decoder)]
        }
    }

    /// A value each line, or one over all lines.
    private mutating func readJSON(_ octets: [UInt8]) throws(ImportError) {
        var lines = FilledLines(octets)
        if let first = lines.next(), let value = Self.value(first.octets) {
            for entry in value.entries { try take(entry, first.number) }
            while let line = lines.next() {
                guard let value = Self.value(line.octets) else {
                    refuse(line.number, .jsonMalformed(octet: 1))
                    continue
                }
                for entry in value.entries { try take(entry, line.number) }
            }
            return
        }
        guard let value = Self.value(octets[...]) else {
            throw ImportError(
                .wrongFormat, line: 1,
                "the list is no JSON of SES or Postmark: their exports are, and CSV with a header row")
        }
        for (index, entry) in value.entries.enumerated() { try take(entry, index + 1) }
    }

    private static func value(_ octets: ArraySlice<UInt8>) -> Value? {
        guard isHarmless(octets) else { return nil }
        return try? JSONDecoder().decode(Value.self, from: Data(octets))
    }

    /// No deeper than lists of entries are, for decoders call themselves for each level; no name longer than those of
    /// entries, for decoders hash names, which takes the square of the length of a run of combining marks.
    private static func isHarmless(_ octets: ArraySlice<UInt8>) -> Bool {
        var depth = 0
        var textOctets = 0
        var isInText = false
        var isEscaped = false
        for octet in octets {
            if isInText {
                textOctets += 1
                if isEscaped {
                    isEscaped = false
                } else if octet == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if octet == UInt8(ascii: "\"") {
                    isInText = false
                }
                continue
            }
            switch octet {
            case UInt8(ascii: "\""): (isInText, textOctets) = (true, 0)
            case UInt8(ascii: ":") where textOctets > nameOctets: return false
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            if depth > ImportLimits.nestingDepth { return false }
        }
        return true
    }

    /// - Parameter line: or the number of the entry, where all are one value.
    private mutating func take(_ entry: Value.Entry, _ line: Int) throws(ImportError) {
        file.form = entry.SuppressionReason == nil ? .ses : .postmark
        let listed: ListedAddress
        do throws(LineError) {
            let subject = try Self.subject(entry.EmailAddress, nil)
            let isByRecipient = ListedWord.isRecipient(entry.Origin)
            let word = entry.SuppressionReason ?? entry.Reason
            guard
                let reason = word.map({ SuppressionReason(listed: $0, isByRecipient: isByRecipient) })
                    ?? (self.reason ?? .manual)
            else { throw .suppressionReason }
            listed = ListedAddress(
                subject, reason, createdAt: try Self.time((entry.LastUpdateTime ?? entry.CreatedAt)?.text))
        } catch {
            return refuse(line, error)
        }
        try add(listed, line)
    }
}

/// The lines that are not blank, one after the other: a list may be of nothing but line feeds.
private struct FilledLines {
    private var rest: ArraySlice<UInt8>
    private var number = 0

    init(_ octets: [UInt8]) { rest = octets[...] }

    /// - Returns: a line without its end, and its number, from 1; nil once there is none
    mutating func next() -> (octets: ArraySlice<UInt8>, number: Int)? {
        while !rest.isEmpty {
            let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
            let line = rest[..<end]
            rest = rest[end...].dropFirst()
            number += 1
            if line.contains(where: { $0 > 0x20 }) { return (line, number) }
        }
        return nil
    }
}

extension Fingerprint {
    /// As lists show it: 32 hexadecimal digits.
    init?(hexadecimal text: String) {
        guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
            let low = UInt64(text.suffix(16), radix: 16), !text.contains("+"), !text.contains("-")
        else { return nil }
        self.init(high: high, low: low)
    }
}
