/// Finds the end of a CSV record, past line breaks in quoted fields (RFC 4180 §2). It keeps its place between chunks.
///
/// A quote opens a quoted field only as the field's first octet, so that a stray one spoils its own line and no other.
struct QuoteScanner {
    private enum State {
        case fieldStart
        case unquoted
        case quoted
        /// The end of the field, or the first half of a doubled quote.
        case quoteInQuoted
    }

    private var state = State.fieldStart
    /// Line feeds inside the record so far.
    private(set) var lineBreaks = 0

    /// Whether a quoted field is open.
    var isInside: Bool { state == .quoted }

    /// - Returns: the position of the record's line feed, or the end of `octets`.
    mutating func recordEnd(in octets: Span<UInt8>, from start: Int) -> Int {
        var position = start
        var state = state
        scan: while position < octets.count {
            let octet = octets[position]
            switch state {
            case .quoted:
                if octet == UInt8(ascii: "\"") {
                    state = .quoteInQuoted
                } else if octet == 0x0A {
                    lineBreaks += 1
                }
            case .quoteInQuoted where octet == UInt8(ascii: "\""), .fieldStart where octet == UInt8(ascii: "\""):
                state = .quoted
            case .fieldStart, .unquoted, .quoteInQuoted:
                if octet == 0x0A { break scan }
                state = octet == UInt8(ascii: ",") ? .fieldStart : .unquoted
            }
            position += 1
        }
        self.state = state
        return position
    }
}
