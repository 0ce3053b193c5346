import FoundationEssentials

/// Cuts a stream of octets into records: lines for NDJSON; for CSV, lines whose quoted fields may span several. A line
/// ends with LF, CRLF or CR.
///
/// It holds at most one record of ``ImportLimits/lineOctets`` and the last chunk. A longer record is counted and
/// dropped as it comes.
struct RecordFramer {
    /// One step of the cutting.
    enum Step: Equatable {
        /// A record: octets of ``buffer``, without its line break.
        case record(Range<Int>, line: Int)
        case tooLong(line: Int)
        /// Feed more, or the end was reached.
        case needsMore
    }

    private var format: RecipientFormat
    private(set) var buffer: [UInt8] = []
    /// Start of the record at hand.
    private var start = 0
    /// Everything before it is scanned.
    private var position = 0
    private var quotes: QuoteScanner
    /// What stands between the columns of the records to come; nil until the header row tells.
    private(set) var separator: CSVSeparator?
    /// A carriage return has ended a record: a line feed behind it belongs to the same line break.
    private var isAfterCarriageReturn = false
    /// Line of the record at hand, from 1.
    private var line = 1
    /// Octets of the record at hand that were dropped because it is too long.
    private var dropped = 0
    private var isEnded = false

    init(format: RecipientFormat, separator: CSVSeparator? = nil) {
        self.format = format
        self.separator = separator
        quotes = QuoteScanner(separator)
    }

    /// Called between two records.
    mutating func separate(by separator: CSVSeparator) {
        self.separator = separator
        quotes = QuoteScanner(separator)
    }

    /// Called between two records of a list whose first line turned out to be a header row.
    mutating func readCSV(separatedBy separator: CSVSeparator) {
        format = .csv
        separate(by: separator)
    }

    mutating func feed(_ chunk: some DataProtocol, through decoder: inout CharsetDecoder) {
        if start > 0 {
            buffer.removeSubrange(..<start)
            position -= start
            start = 0
        }
        decoder.decode(chunk, into: &buffer)
    }

    /// No more chunks follow: what is left is the last record.
    mutating func end(_ decoder: inout CharsetDecoder) {
        decoder.end(into: &buffer)
        isEnded = true
    }

    /// - Throws: ``ImportError`` `.lineTooLong`, `.csvUnterminatedQuote`
    mutating func next() throws(ImportError) -> Step {
        skipLineFeed()
        let isComplete = scan()
        let octets = dropped + position - start
        guard octets <= ImportLimits.refusedLineOctets else {
            throw ImportError(
                .lineTooLong, line: line,
                "the line is longer than \(ImportLimits.refusedLineOctets) octets; is a quote not closed?")
        }
        if isComplete {
            defer {
                isAfterCarriageReturn = buffer[position] == 0x0D
                position += 1
                startRecord()
            }
            return octets > ImportLimits.lineOctets ? .tooLong(line: line) : .record(start..<position, line: line)
        }
        if isEnded { return try last(octets) }
        if octets > ImportLimits.lineOctets {
            dropped = octets
            start = position
        }
        return .needsMore
    }

    private mutating func last(_ octets: Int) throws(ImportError) -> Step {
        guard !quotes.isInside else {
            throw ImportError(
                .csvUnterminatedQuote, line: line + quotes.lineBreaksBeforeQuote, column: quotes.column,
                "a quote opens here and is not closed before the end")
        }
        guard octets > 0 else { return .needsMore }
        defer { startRecord() }
        return octets > ImportLimits.lineOctets ? .tooLong(line: line) : .record(start..<position, line: line)
    }

    private mutating func startRecord() {
        start = position
        line += 1 + quotes.lineBreaks
        dropped = 0
        quotes = QuoteScanner(separator)
    }

    private mutating func skipLineFeed() {
        guard isAfterCarriageReturn, position < buffer.count else { return }
        isAfterCarriageReturn = false
        guard buffer[position] == 0x0A else { return }
        position += 1
        start = position
    }

    /// Moves to the end of the record, or of what is there.
    ///
    /// - Returns: whether it is the end of the record.
    private mutating func scan() -> Bool {
        // A span of the property would borrow all of self.
        let buffer = buffer
        position =
            switch format {
            case .ndjson: Self.lineBreak(in: buffer.span, from: position)
            case .csv: quotes.recordEnd(in: buffer.span, from: position)
            }
        return position < buffer.count
    }

    private static func lineBreak(in octets: Span<UInt8>, from start: Int) -> Int {
        var position = start
        while position < octets.count, octets[position] != 0x0A, octets[position] != 0x0D { position += 1 }
        return position
    }
}
