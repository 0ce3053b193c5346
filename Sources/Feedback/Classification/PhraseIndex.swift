/// Finds many phrases in one pass over a text.
struct PhraseIndex: Sendable {
    private struct Phrase {
        let bytes: [UInt8]
        let number: Int
    }

    private var numbers: [String: Int] = [:]
    private var byFirstByte = [[Phrase]](repeating: [], count: 256)

    var count: Int { numbers.count }

    /// The number of the phrase, which is added if it is new.
    mutating func number(of phrase: String) -> Int {
        if let known = numbers[phrase] { return known }
        let number = numbers.count
        numbers[phrase] = number
        let bytes = Array(phrase.utf8)
        if let first = bytes.first { byFirstByte[Int(first)].append(Phrase(bytes: bytes, number: number)) }
        return number
    }

    /// Which phrases occur, by number. A phrase must begin where a word begins and may end inside one, so that
    /// `greylist` also finds `greylisting`; one that ends with a space ends with its word.
    func matches(in words: [UInt8]) -> [Bool] {
        var found = [Bool](repeating: false, count: numbers.count)
        var atWordStart = true
        for index in words.indices {
            if atWordStart {
                for phrase in byFirstByte[Int(words[index])]
                where !found[phrase.number] && words[index...].starts(with: phrase.bytes) {
                    found[phrase.number] = true
                }
            }
            atWordStart = words[index] == 0x20
        }
        return found
    }
}
