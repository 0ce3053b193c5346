/// The header of a message, cut into fields. Kept between messages, so that its memory is used again.
struct HeaderSection {
    struct Field {
        /// From the first octet of the name to the last before the final CRLF.
        let range: Range<Int>
        let colon: Int
        /// Raw value of `SignedField`, or -1.
        let signed: Int
    }

    private(set) var fields: [Field] = []
    /// How often each `SignedField` occurs, by raw value.
    private(set) var counts = [Int](repeating: 0, count: SignedField.allCases.count)

    private let names = SignedField.lowerCaseNames

    /// - Parameter bytes: the header with the empty line that ends it.
    /// - Throws: `malformedMessage`, `strayLineBreak`.
    mutating func read(_ bytes: Span<UInt8>) throws(DKIMError) {
        fields.removeAll(keepingCapacity: true)
        for index in counts.indices { counts[index] = 0 }
        var start = 0
        while true {
            guard start < bytes.count else { throw DKIMError(.malformedMessage, "no empty line ends the header") }
            var colon = -1
            var index = start
            // To the CRLF that no white space follows.
            while true {
                guard index < bytes.count else {
                    throw DKIMError(.malformedMessage, "the last header line has no CRLF")
                }
                let byte = bytes[index]
                if byte > 0x3A {
                    index += 1
                } else if byte == 0x3A {
                    if colon < 0 { colon = index }
                    index += 1
                } else if byte == 0x0D {
                    guard index + 1 < bytes.count, bytes[index + 1] == 0x0A else {
                        throw DKIMError(.strayLineBreak, "the header has a CR without LF")
                    }
                    let next = index + 2
                    if index == start || next >= bytes.count || (bytes[next] != 0x20 && bytes[next] != 0x09) { break }
                    index = next
                } else if byte == 0x0A {
                    throw DKIMError(.strayLineBreak, "the header has an LF without CR")
                } else {
                    index += 1
                }
            }
            if index == start {
                guard index + 2 == bytes.count else {
                    throw DKIMError(.malformedMessage, "the header has an empty line inside")
                }
                return
            }
            try appendField(bytes, start..<index, colon: colon)
            start = index + 2
        }
    }

    private mutating func appendField(_ bytes: Span<UInt8>, _ range: Range<Int>, colon: Int) throws(DKIMError) {
        // The obsolete syntax allows white space between name and colon (RFC 5322 §4.5).
        var nameEnd = colon
        while nameEnd > range.lowerBound, bytes[nameEnd - 1] == 0x20 || bytes[nameEnd - 1] == 0x09 { nameEnd -= 1 }
        guard nameEnd > range.lowerBound else { throw DKIMError(.malformedMessage, "a header line is not a field") }
        for index in range.lowerBound..<nameEnd {
            guard (0x21...0x7E).contains(bytes[index]) else {
                throw DKIMError(.malformedMessage, "a header field has a name with other than visible ASCII")
            }
        }
        let signed = signedField(bytes, range.lowerBound..<nameEnd)
        if signed >= 0 { counts[signed] += 1 }
        fields.append(Field(range: range, colon: colon, signed: signed))
    }

    private func signedField(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Int {
        candidates: for candidate in names.indices where names[candidate].count == name.count {
            let letters = names[candidate]
            for offset in letters.indices {
                let byte = bytes[name.lowerBound + offset]
                guard ((0x41...0x5A).contains(byte) ? byte | 0x20 : byte) == letters[offset] else {
                    continue candidates
                }
            }
            return candidate
        }
        return -1
    }
}
