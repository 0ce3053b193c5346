/// Finds many phrases in one pass over a text.
struct PhraseIndex: Sendable {
    private struct Phrase {
        let bytes: [UInt8]
        let number: Int
    }

    private var numbers: [String: Int] = [:]
    /// By ``bucket``
    private var buckets = [[Phrase]](repeating: [], count: 4_096)

    var count: Int { numbers.count }

    /// The number of the phrase, which is added if it is new. A phrase has three octets or more.
    mutating func number(of phrase: String) -> Int {
        if let known = numbers[phrase] { return known }
        let number = numbers.count
        numbers[phrase] = number
        let bytes = Array(phrase.utf8)
        precondition(bytes.count >= 3, "too short a phrase: \(phrase)")
        buckets[Self.bucket(bytes[0], bytes[1], bytes[2])].append(Phrase(bytes: bytes, number: number))
        return number
    }

    /// Which phrases occur, by number.
    func matches(in words: [UInt8]) -> [Bool] { matches(in: words, words.indices) }

    func matches(in words: [UInt8], _ range: Range<Int>) -> [Bool] {
        var found = [Bool](repeating: false, count: numbers.count)
        forEach(in: words, range) { found[$0] = true }
        return found
    }

    /// Calls `body` with the number of each phrase found, perhaps more than once. A phrase must begin where a word begins
    /// and may end inside one, so that `greylist` also finds `greylisted`; one that ends with a space ends with its word.
    /// Scripts without spaces (Chinese, Japanese) have a beginning at each character.
    func forEach(in words: [UInt8], _ range: Range<Int>, _ body: (Int) -> Void) {
        words.withUnsafeBufferPointer { words in
            var atWordStart = true
            var index = range.lowerBound
            while index + 2 < range.upperBound {
                let octet = words[index]
                if atWordStart || (0xE3...0xED).contains(octet) {
                    for phrase in buckets[Self.bucket(octet, words[index + 1], words[index + 2])]
                    where Self.holds(words, phrase.bytes, at: index, before: range.upperBound) { body(phrase.number) }
                }
                atWordStart = octet == 0x20
                index += 1
            }
        }
    }

    /// Calls `body` with the number of each phrase that `range` begins with.
    func forEachAtStart(of words: [UInt8], _ range: Range<Int>, _ body: (Int) -> Void) {
        guard range.count > 2 else { return }
        let start = range.lowerBound
        words.withUnsafeBufferPointer { words in
            for phrase in buckets[Self.bucket(words[start], words[start + 1], words[start + 2])]
            where Self.holds(words, phrase.bytes, at: start, before: range.upperBound) { body(phrase.number) }
        }
    }

    private static func holds(
        _ words: UnsafeBufferPointer<UInt8>, _ phrase: [UInt8], at index: Int, before end: Int
    ) -> Bool {
        guard index + phrase.count <= end else { return false }
        for offset in phrase.indices where words[index + offset] != phrase[offset] { return false }
        return true
    }

    private static func bucket(_ first: UInt8, _ second: UInt8, _ third: UInt8) -> Int {
        (Int(first) &* 961 &+ Int(second) &* 31 &+ Int(third)) & 4_095
    }
}
