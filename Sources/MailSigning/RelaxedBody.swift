/// The "relaxed" body canonicalisation of RFC 6376 §3.4.4: runs of spaces and tabs become one space, none stay at the
/// end of a line, empty lines at the end go, and what is left ends in CRLF. An empty body stays empty.
enum RelaxedBody {
    /// - Parameters:
    ///   - body: lines that end in CRLF; the last one need not.
    ///   - chunk: room to work in, 64 octets or more; its size bounds what `sink` gets at a time.
    ///   - sink: takes the canonical body piece by piece.
    /// - Throws: `strayLineBreak`.
    static func canonicalise(
        _ body: Span<UInt8>, through chunk: inout [UInt8], sink: (Span<UInt8>) -> Void
    ) throws(DKIMError) {
        // Three octets are the most that one round of the loop writes.
        let limit = chunk.count - 3
        let count = body.count
        var room = chunk.mutableSpan
        var index = 0
        var filled = 0
        /// Line ends that count only if something follows them.
        var owedLineEnds = 0
        var owedSpace = false
        var isEmpty = true

        while index < count {
            let byte = body[index]
            if byte > 0x20 || (byte != 0x20 && byte != 0x09 && byte != 0x0D && byte != 0x0A) {
                while owedLineEnds > 0 {
                    if filled > limit {
                        sink(room.span.extracting(first: filled))
                        filled = 0
                    }
                    room[filled] = 0x0D
                    room[filled + 1] = 0x0A
                    filled += 2
                    owedLineEnds -= 1
                }
                if filled > limit {
                    sink(room.span.extracting(first: filled))
                    filled = 0
                }
                if owedSpace {
                    room[filled] = 0x20
                    filled += 1
                    owedSpace = false
                }
                room[filled] = byte
                filled += 1
                index += 1
                isEmpty = false
                // The rest of the word: nothing is owed within it.
                let end = min(count, index + (limit - filled))
                while index < end {
                    let byte = body[index]
                    guard byte > 0x20 else { break }
                    room[filled] = byte
                    filled += 1
                    index += 1
                }
            } else if byte == 0x0D {
                guard index + 1 < count, body[index + 1] == 0x0A else {
                    throw DKIMError(.strayLineBreak, "the body has a CR without LF")
                }
                owedSpace = false
                owedLineEnds += 1
                index += 2
            } else if byte == 0x0A {
                throw DKIMError(.strayLineBreak, "the body has an LF without CR")
            } else {
                owedSpace = true
                index += 1
            }
        }
        guard !isEmpty else { return }
        if filled > limit {
            sink(room.span.extracting(first: filled))
            filled = 0
        }
        room[filled] = 0x0D
        room[filled + 1] = 0x0A
        sink(room.span.extracting(first: filled + 2))
    }
}
