/// Writes the tags of a signature field in lines of at most 76 octets where its pieces allow it (RFC 5322 §2.1.1 asks
/// for 78).
struct FoldedWriter {
    private(set) var bytes: [UInt8] = []
    private var column = 0

    private static let lineOctets = 76

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// Appends a piece that stays whole, on a new line if it does not fit this one.
    mutating func append(_ piece: some Collection<UInt8>) {
        if column + piece.count > Self.lineOctets, column > 1 { fold() }
        bytes.append(contentsOf: piece)
        column += piece.count
    }

    /// Appends what another writer wrote, at the start of a line.
    mutating func append(_ other: FoldedWriter) {
        bytes.append(contentsOf: other.bytes)
        column = other.column
    }

    /// Appends a tag: a space, or a new line, and a piece that stays whole.
    mutating func appendTag(_ piece: some Collection<UInt8>) {
        if column + 1 + piece.count > Self.lineOctets {
            fold()
        } else {
            bytes.append(0x20)
            column += 1
        }
        bytes.append(contentsOf: piece)
        column += piece.count
    }

    /// Appends text that may break anywhere, such as Base64.
    mutating func appendBreakable(_ text: [UInt8]) {
        var rest = text[...]
        while !rest.isEmpty {
            if column >= Self.lineOctets { fold() }
            let part = rest.prefix(Self.lineOctets - column)
            bytes.append(contentsOf: part)
            column += part.count
            rest = rest.dropFirst(part.count)
        }
    }

    /// Ends the field.
    mutating func endLine() {
        bytes.append(0x0D)
        bytes.append(0x0A)
        column = 0
    }

    private mutating func fold() {
        bytes.append(0x0D)
        bytes.append(0x0A)
        bytes.append(0x20)
        column = 1
    }
}
