/// Takes a mail's MIME structure apart (RFC 2046 §5.1).
struct PartReader {
    private let octets: [UInt8]
    private var parts = 0
    /// How many lines may still be looked at for delimiters. Each level looks at the lines inside it again, so it is the sum
    /// that must be bounded: else the time is the length times the depth.
    private(set) var linesLeft = ReadingLimits.delimiterLines

    init(_ octets: [UInt8]) {
        self.octets = octets
    }

    mutating func part(in range: Range<Int>, depth: Int) -> ReceivedPart {
        parts += 1
        let (header, body) = HeaderReader.read(octets, in: range, isMessage: depth == 0)
        let typed = header.first("content-type").map { ReceivedContentType($0) }
        let type = typed ?? ReceivedContentType()
        return ReceivedPart(
            header: header, contentType: type, octets: octets, body: body,
            children: children(of: type, body, depth, isTyped: typed != nil))
    }

    private mutating func children(
        of type: ReceivedContentType, _ body: Range<Int>, _ depth: Int, isTyped: Bool
    ) -> [ReceivedPart] {
        guard depth < ReadingLimits.depth, type.mediaType.hasPrefix("multipart/") || lacksType(body, depth, isTyped)
        else { return [] }
        var ranges = type.boundary.map { split(body, at: $0) } ?? []
        if ranges.isEmpty, let guess = firstDelimiter(in: body) { ranges = split(body, at: guess) }
        var children: [ReceivedPart] = []
        for range in ranges where parts < ReadingLimits.parts { children.append(part(in: range, depth: depth + 1)) }
        return children
    }

    /// A multipart whose mail has lost its Content-Type: a delimiter stands near the top, before the header of a part.
    private mutating func lacksType(_ body: Range<Int>, _ depth: Int, _ isTyped: Bool) -> Bool {
        guard depth == 0, !isTyped, let boundary = firstDelimiter(in: body.prefix(200)) else { return false }
        return split(body, at: boundary).contains { range in
            octets.holds("content-", at: range.lowerBound, before: range.upperBound)
        }
    }

    /// What stands between the delimiters. The last part needs none after it.
    private mutating func split(_ body: Range<Int>, at boundary: [UInt8]) -> [Range<Int>] {
        guard !boundary.isEmpty else { return [] }
        var ranges: [Range<Int>] = []
        var start: Int?
        var lines = OctetLines(octets, in: body)
        while linesLeft > 0, ranges.count < ReadingLimits.parts, let line = lines.next() {
            linesLeft -= 1
            guard isDelimiter(line, boundary) else { continue }
            if let start { ranges.append(start..<max(start, endBefore(line.lowerBound, start))) }
            start = lines.position
            let end = line.lowerBound + 2 + boundary.count
            if octets.holds("--", at: end, before: line.upperBound) { return ranges }
        }
        if let start, start < body.upperBound { ranges.append(start..<body.upperBound) }
        return ranges
    }

    private func isDelimiter(_ line: Range<Int>, _ boundary: [UInt8]) -> Bool {
        guard line.count >= boundary.count + 2, octets[line.lowerBound] == UInt8(ascii: "-"),
            octets[line.lowerBound + 1] == UInt8(ascii: "-"),
            octets[line.dropFirst(2)].starts(with: boundary)
        else { return false }
        // Another boundary may begin with this one.
        let rest = line.dropFirst(boundary.count + 2)
        return rest.isEmpty || octets.holds("--", at: rest.lowerBound, before: rest.upperBound)
            || octets[rest].allSatisfy(\.isBlank)
    }

    /// The line end before a delimiter belongs to it.
    private func endBefore(_ delimiter: Int, _ start: Int) -> Int {
        var end = delimiter
        if end > start, octets[end - 1] == UInt8(ascii: "\n") { end -= 1 }
        if end > start, octets[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        return end
    }

    /// The boundary of a body whose header names none that occurs: of its first line that begins like a delimiter.
    private mutating func firstDelimiter(in body: Range<Int>) -> [UInt8]? {
        for line in OctetLines(octets, in: body.prefix(ReadingLimits.headerOctets)) where linesLeft > 0 {
            linesLeft -= 1
            let line = octets.trimmed(line)
            guard line.count > 10, octets.holds("--", at: line.lowerBound, before: line.upperBound) else { continue }
            let boundary = octets[line.dropFirst(2)]
            guard !boundary.contains(0x20), !boundary.allSatisfy({ $0 == boundary.first }) else { continue }
            return Array(boundary)
        }
        return nil
    }
}
