package import FoundationEssentials

/// Reads an upload of recipients from chunks of any size, in bounded memory, without doing any I/O.
///
///     var parser = RecipientParser(format: .ndjson)
///     parser.feed(chunk)
///     while case let event = try parser.next(), event != .needsMore { … }
///     parser.end()                  // no more chunks; then next() until .needsMore once more
///
/// What it makes of an upload does not depend on where the chunks are cut.
package struct RecipientParser: Sendable {
    package enum Event: Sendable, Hashable {
        case recipient(ParsedRecipient)
        /// A bad line, by its number from 1. The lines after it are read as ever.
        case invalidLine(Int, LineError)
        /// Everything fed so far is read.
        case needsMore
    }

    private var decoder: CharsetDecoder
    private var framer: RecordFramer
    private let format: RecipientFormat
    /// Nil until the header of a CSV upload is read.
    private var csv: CSVLine?
    /// Whether a line that is not empty was seen.
    private var hasBegun = false

    package init(format form: UploadForm) {
        format = form.format
        decoder = CharsetDecoder(form.charset)
        framer = RecordFramer(format: form.format, separator: form.separator)
    }

    package mutating func feed(_ chunk: some DataProtocol) {
        framer.feed(chunk, through: &decoder)
    }

    package mutating func end() {
        framer.end(&decoder)
    }

    /// As said or found out.
    package var charset: Charset { decoder.charset }
    /// As said or found out; nil for NDJSON, and for CSV before its header.
    package var separator: CSVSeparator? { format == .csv ? framer.separator : nil }

    /// For tests: octets kept in memory, at most ``ImportLimits/lineOctets`` beside the last chunk.
    package var heldOctets: Int { framer.buffer.count }

    /// - Throws: ``ImportError`` where the whole upload is to be refused. The parser is of no use afterwards.
    package mutating func next() throws(ImportError) -> Event {
        if let binary = decoder.binary {
            throw ImportError(.wrongFormat, line: 1, "the upload is \(binary.rawValue); save the list as CSV in UTF-8")
        }
        while true {
            switch try framer.next() {
            case .needsMore:
                return .needsMore
            case .tooLong(let line):
                guard format == .ndjson || csv != nil else {
                    throw ImportError(
                        .csvBadHeader, line: line, "the header row is refused: \(LineError.tooLong.reason)")
                }
                return .invalidLine(line, .tooLong)
            case .record(let range, let line):
                if let event = try event(range, line) { return event }
            }
        }
    }

    /// Nil where the record is empty or the header.
    private mutating func event(_ range: Range<Int>, _ line: Int) throws(ImportError) -> Event? {
        guard !range.isEmpty else { return nil }
        // A span of the property would borrow all of self.
        let buffer = framer.buffer
        let record = buffer.span.extracting(range)
        try checkFormat(record, line)
        if format == .csv, csv == nil {
            try readHeader(record, line)
            return nil
        }
        do throws(LineError) {
            let recipient: ParsedRecipient?
            switch format {
            case .csv: recipient = try csv?.parse(record, number: line)
            case .ndjson: recipient = try JSONLine.parse(record, number: line)
            }
            return recipient.map(Event.recipient)
        } catch {
            return .invalidLine(line, error.located(in: record, charset: charset))
        }
    }

    private mutating func readHeader(_ record: Span<UInt8>, _ line: Int) throws(ImportError) {
        if framer.separator == nil, let separator = CSVHeader.separatorLine(record) {
            framer.separate(by: separator)
            return
        }
        guard !LineText.trimmed(record).isEmpty else { return }
        let header = try CSVHeader(record, separator: framer.separator, line: line)
        framer.separate(by: header.separator)
        csv = CSVLine(header)
    }

    /// Looks at the first line that is not empty for what the upload is not said to be.
    private mutating func checkFormat(_ record: Span<UInt8>, _ line: Int) throws(ImportError) {
        guard !hasBegun else { return }
        let blank = LineText.trimmed(record)
        guard let first = blank.first.map({ record[$0] }) else { return }
        hasBegun = true
        switch (format, first) {
        case (_, UInt8(ascii: "<")):
            throw ImportError(.wrongFormat, line: line, "the upload is HTML or XML, not \(format.title)")
        case (_, UInt8(ascii: "[")) where Self.isArray(record.extracting(blank)):
            throw ImportError(
                .wrongFormat, line: line,
                "the upload is a JSON array; send one object a line, without brackets and commas, as application/x-ndjson"
            )
        case (.csv, UInt8(ascii: "{")):
            throw ImportError(
                .wrongFormat, line: line, "the upload is JSON, not CSV; send it as application/x-ndjson")
        case (.ndjson, _) where first != UInt8(ascii: "{") && CSVHeader.isHeader(record):
            throw ImportError(.wrongFormat, line: line, "the upload is CSV, not NDJSON; send it as text/csv")
        default: break
        }
    }

    /// Whether a line is the opening bracket of an array, alone or before an object.
    private static func isArray(_ record: Span<UInt8>) -> Bool {
        let rest = record.extracting(1..<record.count)
        guard let next = LineText.trimmed(rest).first else { return true }
        return rest[next] == UInt8(ascii: "{")
    }
}

extension RecipientFormat {
    fileprivate var title: String {
        switch self {
        case .ndjson: "NDJSON"
        case .csv: "CSV"
        }
    }
}
