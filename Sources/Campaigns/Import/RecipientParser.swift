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

    private var framer: RecordFramer
    private let format: RecipientFormat
    /// Nil until the header of a CSV upload is read.
    private var csv: CSVLine?

    package init(format: RecipientFormat) {
        self.format = format
        framer = RecordFramer(format: format)
    }

    package mutating func feed(_ chunk: some DataProtocol) {
        framer.feed(chunk)
    }

    package mutating func end() {
        framer.end()
    }

    /// Octets kept in memory: at most ``ImportLimits/lineOctets`` beside the last chunk.
    package var heldOctets: Int { framer.buffer.count }

    /// - Throws: ``ImportError`` where the whole upload is to be refused. The parser is of no use afterwards.
    package mutating func next() throws(ImportError) -> Event {
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
        // A span of the property would borrow all of self.
        let buffer = framer.buffer
        let octets = buffer.span
        var end = range.upperBound
        if end > range.lowerBound, octets[end - 1] == 0x0D { end -= 1 }
        guard end > range.lowerBound else { return nil }
        let record = octets.extracting(range.lowerBound..<end)
        if format == .csv, csv == nil {
            csv = CSVLine(try CSVHeader(record, line: line))
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
            return .invalidLine(line, error)
        }
    }
}
