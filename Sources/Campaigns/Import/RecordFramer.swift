import FoundationEssentials

/// Cuts a stream of octets into records: lines for NDJSON; for CSV, lines whose quoted fields may span several.
///
/// It holds at most one record of ``ImportLimits/lineOctets`` and the last chunk. A longer record is counted and
/// dropped as it comes.
struct RecordFramer {
    /// One step of the cutting.
    enum Step: Equatable {
        /// A record: octets of ``buffer``, without its line feed.
        case record(Range<Int>, line: Int)
        case tooLong(line: Int)
        /// Feed more, or the end was reached.
        case needsMore
    }

    private let format: RecipientFormat
    private(set) var buffer: [UInt8] = []
    /// Start of the record at hand.
    private var start = 0
    /// Everything before it is scanned.
    private var position = 0
    private var quotes = QuoteScanner()
    /// Line of the record at hand, from 1.
    private var line = 1
    /// Octets of the record at hand that were dropped because it is too long.
    private var dropped = 0
    private var isEnded = false
    private var isAtStart = true

    init(format: RecipientFormat) {
        self.format = format
    }

    mutating func feed(_ chunk: some DataProtocol) {
        if start > 0 {
            buffer.removeSubrange(..<start)
            position -= start
            start = 0
        }
        buffer.append(contentsOf: chunk)
    }

    /// No more chunks follow: what is left is the last record.
    mutating func end() {
        isEnded = true
    }

    /// - Throws: ``ImportError`` `.lineTooLong`, `.csvUnterminatedQuote`
    mutating func next() throws(ImportError) -> Step {
        guard skipByteOrderMark() else { return .needsMore }
        let isComplete = scan()
        let octets = dropped + position - start
        guard octets <= ImportLimits.refusedLineOctets else {
            throw ImportError(
                .lineTooLong, line: line,
                "the line is longer than \(ImportLimits.refusedLineOctets) octets; is a quote not closed?")
        }
        if isComplete {
            defer {
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
                .csvUnterminatedQuote, line: line, "a quoted field of the record that starts here is not closed")
        }
        guard octets > 0 else { return .needsMore }
        defer { startRecord() }
        return octets > ImportLimits.lineOctets ? .tooLong(line: line) : .record(start..<position, line: line)
    }

    private mutating func startRecord() {
        start = position
        line += 1 + quotes.lineBreaks
        dropped = 0
        quotes = QuoteScanner()
    }

    /// - Returns: false while the first octets may still turn out to be one.
    private mutating func skipByteOrderMark() -> Bool {
        guard isAtStart else { return true }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        if !isEnded, buffer.count < mark.count, mark.starts(with: buffer) { return false }
        isAtStart = false
        if buffer.starts(with: mark) {
            start = mark.count
            position = mark.count
        }
        return true
    }

    /// Moves to the end of the record, or of what is there.
    ///
    /// - Returns: whether it is the end of the record.
    private mutating func scan() -> Bool {
        // A span of the property would borrow all of self.
        let buffer = buffer
        position =
            switch format {
            case .ndjson: Self.lineFeed(in: buffer.span, from: position)
            case .csv: quotes.recordEnd(in: buffer.span, from: position)
            }
        return position < buffer.count
    }

    private static func lineFeed(in octets: Span<UInt8>, from start: Int) -> Int {
        var position = start
        while position < octets.count, octets[position] != 0x0A { position += 1 }
        return position
    }
}
