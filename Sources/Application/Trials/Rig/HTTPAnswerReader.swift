import NIOCore

/// Finds where answers of HTTP/1.1 end, by the length that they tell (RFC 9112 §6.3), and nothing else of them but their
/// status.
struct HTTPAnswerReader {
    private var unread = ByteBuffer()
    /// Of the answer that is being read: its status, and what of its body is missing.
    private var begun: (status: Int, bodyOctets: Int)?

    /// The longest head that is read.
    private static let mostHeadOctets = 65_536

    mutating func append(_ octets: some Sequence<UInt8>) { unread.writeBytes(octets) }

    /// The status of the next answer that has come whole; nil where none has.
    ///
    /// - Throws: ``RigError`` where what has come is no answer of a known length.
    mutating func next() throws(RigError) -> Int? {
        if begun == nil { begun = try readHead() }
        guard let (status, octets) = begun, unread.readableBytes >= octets else { return nil }
        unread.moveReaderIndex(forwardBy: octets)
        if unread.readableBytes == 0 { unread.clear() }
        begun = nil
        return status
    }

    private mutating func readHead() throws(RigError) -> (status: Int, bodyOctets: Int)? {
        let view = unread.readableBytesView
        guard let length = Self.headOctets(view) else {
            guard view.count < Self.mostHeadOctets else { throw RigError(problem: "an answer's head has no end") }
            return nil
        }
        let lines = view.prefix(length).split(separator: UInt8(ascii: "\n"))
        let words = lines.first?.split(separator: UInt8(ascii: " "), maxSplits: 2) ?? []
        guard words.count > 1, words[0].starts(with: "HTTP/1.1".utf8), let status = Self.number(words[1]) else {
            throw RigError(problem: "what came is no answer of HTTP/1.1")
        }
        var octets: Int?
        for line in lines.dropFirst() where Self.isLength(line) {
            octets = Self.number(line.dropFirst(Self.lengthName.count).filter { $0 > 32 })
        }
        let isEmpty = status == 204 || status == 304
        guard let octets = octets ?? (isEmpty ? 0 : nil) else {
            throw RigError(problem: "an answer with status \(status) does not tell its length")
        }
        unread.moveReaderIndex(forwardBy: length)
        return (status, octets)
    }

    private static func headOctets(_ view: ByteBufferView) -> Int? {
        var line = 0
        for (offset, octet) in view.enumerated() {
            switch octet {
            case UInt8(ascii: "\n"):
                if line == 0, offset > 0 { return offset + 1 }
                line = 0
            case UInt8(ascii: "\r"): break
            default: line += 1
            }
        }
        return nil
    }

    private static let lengthName = Array("content-length:".utf8)

    private static func isLength(_ line: ByteBufferView) -> Bool {
        line.count > lengthName.count && zip(line, lengthName).allSatisfy { $0 | 0x20 == $1 | 0x20 }
    }

    private static func number(_ digits: some Sequence<UInt8>) -> Int? {
        var number = 0
        for digit in digits {
            guard (48...57).contains(digit), number < 1 << 40 else { return nil }
            number = number * 10 + Int(digit - 48)
        }
        return number
    }
}
