/// The "relaxed" body canonicalisation of RFC 6376 §3.4.4: runs of spaces and tabs become one space, none stay at the
/// end of a line, empty lines at the end go, and what is left ends in CRLF. An empty body stays empty.
///
/// Most text is canonical already. So this looks for the few places that are not, eight octets at a time, and hands
/// out what lies between them as it is.
enum RelaxedBody {
    /// - Parameters:
    ///   - body: lines that end in CRLF; the last one need not.
    ///   - chunk: room to work in, 64 octets or more.
    ///   - sink: takes the canonical body piece by piece.
    /// - Throws: `strayLineBreak`.
    static func canonicalise(
        _ body: Span<UInt8>, through chunk: inout [UInt8], sink: (Span<UInt8>) -> Void
    ) throws(DKIMError) {
        let end = try endOfContent(body)
        guard end > 0 else { return }
        var filled = 0
        var start = 0
        while start < end {
            let place = try firstIrregularity(body, start, end)
            append(body.extracting(start..<place), through: &chunk, &filled, sink)
            start = place
            guard place < end else { break }
            // White space: a run of it, a tab, or what stands before a line end.
            var next = place
            while isWhiteSpace(body[next]) { next += 1 }
            if body[next] != 0x0D { append(space.span, through: &chunk, &filled, sink) }
            start = next
        }
        append(lineEnd.span, through: &chunk, &filled, sink)
        sink(chunk.span.extracting(first: filled))
    }

    private static let space: [UInt8] = [0x20]
    private static let lineEnd: [UInt8] = [0x0D, 0x0A]

    private static func isWhiteSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// Gathers small pieces and passes large ones on.
    private static func append(
        _ piece: Span<UInt8>, through chunk: inout [UInt8], _ filled: inout Int, _ sink: (Span<UInt8>) -> Void
    ) {
        if filled + piece.count > chunk.count {
            sink(chunk.span.extracting(first: filled))
            filled = 0
        }
        guard piece.count <= chunk.count / 4 else {
            if filled > 0 { sink(chunk.span.extracting(first: filled)) }
            filled = 0
            sink(piece)
            return
        }
        let offset = filled
        unsafe chunk.withUnsafeMutableBytes { room in
            unsafe piece.withUnsafeBytes { unsafe room[offset...].copyBytes(from: $0) }
        }
        filled += piece.count
    }

    /// Behind the last octet that is neither white space nor part of a line end.
    private static func endOfContent(_ body: Span<UInt8>) throws(DKIMError) -> Int {
        var end = body.count
        while end > 0 {
            switch body[end - 1] {
            case 0x20, 0x09: end -= 1
            case 0x0A:
                guard end > 1, body[end - 2] == 0x0D else { throw strayLineFeed }
                end -= 2
            case 0x0D: throw strayCarriageReturn
            default: return end
            }
        }
        return 0
    }

    /// The first place from `start` on where the canonical text differs, or `end`.
    ///
    /// - Parameter end: as from `endOfContent`, so that each octet that is looked at below has one behind it.
    private static func firstIrregularity(_ body: Span<UInt8>, _ start: Int, _ end: Int) throws(DKIMError) -> Int {
        var index = start
        while true {
            index = firstSuspect(body, index, end)
            guard index < end else { return end }
            switch body[index] {
            case 0x09: return index
            case 0x20 where index + 1 < end:
                let next = body[index + 1]
                if isWhiteSpace(next) || next == 0x0D { return index }
            case 0x0D:
                guard index + 1 < end, body[index + 1] == 0x0A else { throw strayCarriageReturn }
                // Past the LF as well: one that is met below stands alone.
                index += 1
            case 0x0A: throw strayLineFeed
            default: break
            }
            index += 1
        }
    }

    /// The first place from `index` on with a control character, or with white space before white space; near `end`,
    /// any place.
    private static func firstSuspect(_ body: Span<UInt8>, _ index: Int, _ end: Int) -> Int {
        unsafe body.withUnsafeBytes { bytes in
            var index = index
            while index + 9 <= end {
                let here = UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let next = UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: index + 1, as: UInt64.self))
                let suspects = octets(here, upTo: 0x1F) | (octets(here, upTo: 0x20) & octets(next, upTo: 0x20))
                if suspects != 0 { return index + suspects.trailingZeroBitCount / 8 }
                index += 8
            }
            return index
        }
    }

    /// The top bit of each of the eight octets whose value is `limit` or less. The sums cannot carry into a neighbour.
    @inline(__always)
    private static func octets(_ word: UInt64, upTo limit: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let low = ones * 0x7F
        return ~(((word & low) + ones * (0x7F - limit)) | word) & ~low
    }

    private static let strayCarriageReturn = DKIMError(.strayLineBreak, "the body has a CR without LF")
    private static let strayLineFeed = DKIMError(.strayLineBreak, "the body has an LF without CR")
}
