/// Takes a header apart (RFC 5322 §2.2) as the field writes it: with LF or CR LF, with blanks before the colon, with
/// octets beyond ASCII, with the `From ` line of an mbox in front, or with no header at all.
struct HeaderReader {
    private let octets: [UInt8]
    private let end: Int
    private var lines: OctetLines
    private var fields: [ReceivedHeader.Field] = []

    private init(_ octets: [UInt8], in range: Range<Int>) {
        self.octets = octets
        end = range.upperBound
        lines = OctetLines(octets, in: range)
    }

    /// - Parameter isMessage: the beginning of a mail, before which blank lines and mbox lines are passed over.
    /// - Returns: the header, and what follows it
    static func read(_ octets: [UInt8], in range: Range<Int>, isMessage: Bool) -> (ReceivedHeader, body: Range<Int>) {
        var reader = HeaderReader(octets, in: range)
        let body = reader.read(isMessage: isMessage)
        return (ReceivedHeader(octets: octets, fields: reader.fields), body..<range.upperBound)
    }

    /// Where the body begins.
    private mutating func read(isMessage: Bool) -> Int {
        let start = lines.position
        var last = start
        while let line = lines.next() {
            guard fields.count < ReadingLimits.headerFields, line.lowerBound - start <= ReadingLimits.headerOctets
            else { return bodyAfterRest(from: line.lowerBound) }
            if line.isEmpty {
                guard isMessage, fields.isEmpty else { return lines.position }
            } else if octets[line.lowerBound].isBlank, let field = fields.last {
                fields[fields.count - 1] = ReceivedHeader.Field(
                    name: field.name, value: field.value.lowerBound..<line.upperBound, nameHash: field.nameHash)
            } else if !take(line), !(isMessage && isEnvelopeLine(line)) {
                return octets.trimmed(line).isEmpty ? lines.position : line.lowerBound
            }
            last = lines.position
        }
        return min(last, end)
    }

    /// What is left of a header that is too long is passed over, up to its blank line.
    private mutating func bodyAfterRest(from start: Int) -> Int {
        while let line = lines.next() {
            if line.isEmpty { return lines.position }
        }
        return start
    }

    private mutating func take(_ line: Range<Int>) -> Bool {
        var hash: UInt32 = 2_166_136_261
        var index = line.lowerBound
        while index < line.upperBound, (0x21...0x7E).contains(octets[index]), octets[index] != UInt8(ascii: ":") {
            hash = ReceivedHeader.mixed(hash, octets[index])
            index += 1
        }
        let name = line.lowerBound..<index
        while index < line.upperBound, octets[index].isBlank { index += 1 }
        guard !name.isEmpty, index < line.upperBound, octets[index] == UInt8(ascii: ":") else { return false }
        fields.append(ReceivedHeader.Field(name: name, value: (index + 1)..<line.upperBound, nameHash: hash))
        return true
    }

    /// `From ` of an mbox, quoted or not.
    private func isEnvelopeLine(_ line: Range<Int>) -> Bool {
        octets.holds("from ", at: line.lowerBound, before: line.upperBound)
            || octets.holds(">from ", at: line.lowerBound, before: line.upperBound)
    }
}
