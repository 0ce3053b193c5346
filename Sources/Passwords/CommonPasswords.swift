/// Passwords that programs try first: a list of the most common words in leaked ones, and what people do to such a word
/// to make it longer.
enum CommonPasswords {
    /// - Parameter names: words that count as common for this user, in small letters
    static func contains(_ password: String, names: Set<[UInt8]>) -> Bool {
        let small = Array(password.lowercased().utf8)
        if words.contains(small) || Set(small).count < leastDifferent || isRepeated(small) || isMadeOfRuns(small) {
            return true
        }
        let core = Array(small.drop { !isLetter($0) }.reversed().drop { !isLetter($0) }.reversed())
        let letters = core.map { disguises[$0] ?? $0 }.filter(isLetter)
        return isMadeOfWords(core.filter(isLetter), names) || isMadeOfWords(letters, names)
    }

    private static let leastDifferent = 5
    private static let leastRun = 3
    private static let leastWord = 3
    private static let longestUnit = 8

    /// Lines of common-passwords.txt, in small letters.
    private static let words: Set<[UInt8]> = Set(
        PackageResources.common_passwords_txt.split(separator: UInt8(ascii: "\n")).map { Array($0) })

    private static let longestWord = words.map(\.count).max() ?? 0

    /// Those beyond ASCII too, whichever they are.
    private static func isLetter(_ octet: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(octet) || octet >= 0x80
    }

    /// What stands for which letter.
    private static let disguises: [UInt8: UInt8] = [
        UInt8(ascii: "0"): UInt8(ascii: "o"), UInt8(ascii: "1"): UInt8(ascii: "i"),
        UInt8(ascii: "!"): UInt8(ascii: "i"),
        UInt8(ascii: "3"): UInt8(ascii: "e"), UInt8(ascii: "4"): UInt8(ascii: "a"),
        UInt8(ascii: "@"): UInt8(ascii: "a"),
        UInt8(ascii: "5"): UInt8(ascii: "s"), UInt8(ascii: "$"): UInt8(ascii: "s"),
        UInt8(ascii: "7"): UInt8(ascii: "t"),
    ]

    /// `abcabcabcabc`, also where the last unit is cut off.
    private static func isRepeated(_ text: [UInt8]) -> Bool {
        (1...longestUnit).contains { unit in
            unit * 2 <= text.count && text.indices.allSatisfy { text[$0] == text[$0 % unit] }
        }
    }

    /// Whether it is one or two known words, `correcthorse` as little as `dragondragon`.
    private static func isMadeOfWords(_ letters: [UInt8], _ names: Set<[UInt8]>) -> Bool {
        guard letters.count >= leastWord else { return false }
        func isWord(_ part: ArraySlice<UInt8>) -> Bool {
            part.count >= leastWord && (words.contains(Array(part)) || names.contains(Array(part)))
        }
        if isWord(letters[...]) { return true }
        guard letters.count <= 2 * max(longestWord, names.map(\.count).max() ?? 0) else { return false }
        return letters.indices.contains { isWord(letters[..<$0]) && isWord(letters[$0...]) }
    }

    /// Keys that lie beside each other, letters and digits in their order, forwards and backwards.
    private static let rows: [[UInt8]] = {
        let rows = [
            "abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm",
            "azertyuiop", "qsdfghjklm", "wxcvbn", "!@#$%^&*()", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
            "1q2w3e4r5t6y7u8i9o0p",
        ].map { Array($0.utf8) }
        return rows + rows.map { $0.reversed() }
    }()

    /// Whether it is nothing but such runs, one after the other: `qwertyuiop123456`.
    private static func isMadeOfRuns(_ text: [UInt8]) -> Bool {
        var place = 0
        while place < text.count {
            let longest = max(sameFrom(place, text), rows.map { run(from: place, text, in: $0) }.max() ?? 0)
            place += longest
            // The last may be a short one: `123456789012`.
            guard longest >= leastRun || place == text.count else { return false }
        }
        return true
    }

    private static func sameFrom(_ place: Int, _ text: [UInt8]) -> Int {
        text[place...].prefix { $0 == text[place] }.count
    }

    private static func run(from place: Int, _ text: [UInt8], in row: [UInt8]) -> Int {
        row.indices.filter { row[$0] == text[place] }.map { start in
            zip(row[start...], text[place...]).prefix { $0 == $1 }.count
        }.max() ?? 0
    }
}
