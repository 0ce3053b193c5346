/// A reply's text made comparable: ASCII letters in lower case, one space between words, none of the reply codes and
/// enhanced codes that servers repeat on each line of a long reply.
struct PlainReply: Sendable, Hashable {
    /// How much of a reply is read; what matters stands in the first lines.
    static let readOctets = 2_048

    private let bytes: [UInt8]

    init(_ text: String) {
        var bytes: [UInt8] = []
        for word in text.utf8.prefix(Self.readOctets).split(whereSeparator: { $0 <= 0x20 }) where !Self.isCode(word) {
            if !bytes.isEmpty { bytes.append(0x20) }
            bytes.append(contentsOf: word.lazy.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 })
        }
        self.bytes = bytes
    }

    var isEmpty: Bool { bytes.isEmpty }

    /// Whether the phrase occurs, wherever it begins.
    func contains(_ phrase: PlainReply) -> Bool {
        let needle = phrase.bytes
        guard let first = needle.first else { return true }
        var start = 0
        while start + needle.count <= bytes.count {
            if bytes[start] == first && bytes[start..<start + needle.count].elementsEqual(needle) { return true }
            start += 1
        }
        return false
    }

    /// `450`, `450-`, `4.2.1`, `450-4.2.1`, and with a space between.
    private static func isCode(_ word: some Collection<UInt8>) -> Bool {
        guard let first = word.first, first == 0x34 || first == 0x35 else { return false }
        let isMadeOfCodes = word.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x2D }
        let dots = word.count { $0 == 0x2E }
        let digitsInFront = word.prefix { (0x30...0x39).contains($0) }.count
        return isMadeOfCodes && (dots == 0 && digitsInFront == 3 || dots == 2)
    }
}
