import Crypto
import MailTypes

/// What stands in for a code of the app, once: 80 random bits as `XXXX-XXXX-XXXX-XXXX`. SHA-256 of the 16 characters is
/// stored; nobody guesses that many bits, so no slower hash is needed.
struct RecoveryCode: Sendable {
    /// The characters, without hyphens.
    private let characters: String

    private static let octets = 10
    private static let length = 16
    private static let group = 4

    static func random() -> RecoveryCode {
        var generator = SystemRandomNumberGenerator()
        let bits = (0..<octets).map { _ in UInt8.random(in: 0 ... .max, using: &generator) }
        return RecoveryCode(characters: Base32.text(bits, digits: Base32.crockford))
    }

    private init(characters: String) { self.characters = characters }

    /// - Parameter text: as somebody has typed it: case, hyphens and spaces make no difference, and neither does what is
    ///   commonly mistaken (O for 0, I and L for 1)
    /// - Returns: nil where it can be no such code
    init?(_ text: String) {
        guard text.utf8.count <= 2 * Self.length else { return nil }
        var characters = ""
        for character in text.uppercased() where character != "-" && character != " " {
            switch character {
            case "O": characters.append("0")
            case "I", "L": characters.append("1")
            default: characters.append(character)
            }
        }
        guard characters.utf8.count == Self.length, characters.utf8.allSatisfy(Base32.crockford.contains) else {
            return nil
        }
        self.characters = characters
    }

    var hash: [UInt8] { Array(SHA256.hash(data: Array(characters.utf8))) }

    /// In groups, as it is shown once.
    var shown: Redacted<String> {
        let all = Array(characters)
        let groups = stride(from: 0, to: all.count, by: Self.group).map { String(all[$0..<$0 + Self.group]) }
        return Redacted(groups.joined(separator: "-"))
    }
}
