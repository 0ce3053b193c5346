package import FoundationEssentials
package import MailTypes

/// Reads a list of addresses, such as one to suppress, from chunks of any size: one address a line; or, where the first
/// line is a header row with a column of addresses (``CSVHeader``), that column of a CSV list, whatever else its rows
/// hold.
package struct AddressListParser: Sendable {
    package enum Event: Sendable, Hashable {
        case address(EmailAddress)
        /// A bad line, by its number from 1. The lines after it are read as ever.
        case invalidLine(Int, LineError)
        /// Everything fed so far is read.
        case needsMore
    }

    private var decoder = CharsetDecoder(nil)
    private var framer = RecordFramer(format: .ndjson)
    private var header: CSVHeader?
    private var hasBegun = false

    package init() {}

    package mutating func feed(_ chunk: some DataProtocol) {
        framer.feed(chunk, through: &decoder)
    }

    /// No more chunks follow.
    package mutating func end() {
        framer.end(&decoder)
    }

    /// - Throws: ``ImportError`` where nothing of the rest can be read: a header row or a quote that is refused, a line
    ///   beyond all bounds, a file that is no text.
    package mutating func next() throws(ImportError) -> Event {
        if let binary = decoder.binary {
            throw ImportError(.wrongFormat, line: 1, "the list is \(binary.rawValue); save it as CSV in UTF-8")
        }
        while true {
            switch try framer.next() {
            case .needsMore: return .needsMore
            case .tooLong(let line): return .invalidLine(line, .tooLong)
            case .record(let range, let line):
                if let event = try event(range, line) { return event }
            }
        }
    }

    /// Nil where the line is blank or the header.
    private mutating func event(_ range: Range<Int>, _ line: Int) throws(ImportError) -> Event? {
        let buffer = framer.buffer
        let record = buffer.span.extracting(range)
        guard !LineText.trimmed(record).isEmpty else { return nil }
        let isFirst = !hasBegun
        hasBegun = true
        if isFirst, CSVHeader.isHeader(record) {
            let header = try CSVHeader(record, separator: nil, line: line)
            framer.readCSV(separatedBy: header.separator)
            self.header = header
            return nil
        }
        do throws(LineError) {
            guard let header else { return .address(try LineText.address(record)) }
            return try Self.cell(of: record, header).map(Event.address)
        } catch {
            return .invalidLine(line, error.located(in: record, charset: decoder.charset))
        }
    }

    /// Nil where all cells are blank.
    private static func cell(of record: Span<UInt8>, _ header: CSVHeader) throws(LineError) -> EmailAddress? {
        var row = CSVRow(header.separator)
        try row.split(record)
        guard !row.fields.allSatisfy({ CSVLine.isBlank($0, record) }) else { return nil }
        guard row.fields.indices.contains(header.emailIndex) else { throw .emailMissing }
        let field = row.fields[header.emailIndex]
        guard !CSVLine.isBlank(field, record) else { throw .emailMissing }
        do throws(LineError) {
            return try row.value(field, of: record, LineText.address)
        } catch {
            throw .cell(column: header.emailIndex + 1, error)
        }
    }
}
