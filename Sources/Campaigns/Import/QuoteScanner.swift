/// Finds the end of a CSV record, past line breaks in quoted fields (RFC 4180 §2). It keeps its place between chunks.
///
/// A record ends with LF, CRLF, or CR alone, as old Macs and some spreadsheets on new ones write it. A quote opens a
/// quoted field only as the field's first octet, so that a stray one spoils its own line and no other.
struct QuoteScanner {
    private enum State {
        case fieldStart
        case unquoted
        case quoted
        /// The end of the field, or the first half of a doubled quote.
        case quoteInQuoted
    }

    private var state = State.fieldStart
    private var isAfterCarriageReturn = false
    /// Line breaks inside the record so far.
    private(set) var lineBreaks = 0
    /// Column of the field at hand, from 1.
    private(set) var column = 1
    /// Line breaks of the record before the quote that opened last.
    private(set) var lineBreaksBeforeQuote = 0
    /// Nil while the header row may still show which it is: then each of them counts.
    private let separator: UInt8?

    init(_ separator: CSVSeparator?) {
        self.separator = separator?.octet
    }

    /// Whether a quoted field is open.
    var isInside: Bool { state == .quoted }

    /// - Returns: the position of the record's first line break octet, or the end of `octets`.
    mutating func recordEnd(in octets: Span<UInt8>, from start: Int) -> Int {
        var position = start
        var state = state
        scan: while position < octets.count {
            let octet = octets[position]
            switch state {
            case .quoted:
                if octet == UInt8(ascii: "\"") { state = .quoteInQuoted } else { countBreak(octet) }
            case .quoteInQuoted where octet == UInt8(ascii: "\""):
                state = .quoted
            case .fieldStart where octet == UInt8(ascii: "\""):
                state = .quoted
                lineBreaksBeforeQuote = lineBreaks
            case .fieldStart, .unquoted, .quoteInQuoted:
                if octet == 0x0A || octet == 0x0D { break scan }
                if separator.map({ $0 == octet }) ?? CSVSeparator.isOne(octet) {
                    state = .fieldStart
                    column += 1
                } else {
                    state = .unquoted
                }
            }
            position += 1
        }
        self.state = state
        return position
    }

    private mutating func countBreak(_ octet: UInt8) {
        if octet == 0x0D || octet == 0x0A && !isAfterCarriageReturn { lineBreaks += 1 }
        isAfterCarriageReturn = octet == 0x0D
    }
}
