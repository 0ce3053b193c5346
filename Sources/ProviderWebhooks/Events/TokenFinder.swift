import MailTypes
import Vault

/// Finds our tokens in what providers repeat of a mail: return path, Message-ID, header fields, links, tags. Addresses are
/// not looked at: only a token tells whose a mail was.
struct TokenFinder {
    /// Base-32 digits of a ``RecipientToken``.
    static let length = 61
    /// A token that has letters before or after it, such as the rest of `%3C` in an encoded Message-ID.
    private static let longestRun = length + 16

    private(set) var candidates: [RecipientToken.Unverified] = []
    private var seen: Set<String> = []

    /// In the order in which they stand, each once, at most ``ProviderLimits/candidates``.
    static func candidates(in value: JSONValue) -> [RecipientToken.Unverified] {
        var finder = TokenFinder()
        finder.look(in: value)
        return finder.candidates
    }

    private mutating func look(in value: JSONValue) {
        guard seen.count < ProviderLimits.candidates else { return }
        switch value {
        case .string(let text): if text.utf8.count >= Self.length { look(in: text) }
        case .array(let elements): for element in elements { look(in: element) }
        // In an order that does not depend on the run.
        case .object(let members): for name in members.keys.sorted() { look(in: members[name] ?? .null) }
        case .null, .bool, .number: break
        }
    }

    private mutating func look(in text: String) {
        var runStart: String.UTF8View.Index?
        var count = 0
        let bytes = text.utf8
        var index = bytes.startIndex
        while true {
            if index < bytes.endIndex, Self.isDigit(bytes[index]) {
                if runStart == nil { (runStart, count) = (index, 0) }
                count += 1
            } else if let start = runStart {
                if (Self.length...Self.longestRun).contains(count) { take(text[start..<index]) }
                runStart = nil
            }
            guard index < bytes.endIndex else { return }
            index = bytes.index(after: index)
        }
    }

    private mutating func take(_ run: Substring) {
        for text in [run.suffix(Self.length), run.prefix(Self.length)] {
            guard seen.count < ProviderLimits.candidates else { return }
            let text = text.lowercased()
            guard !seen.contains(text), let token = RecipientToken.Unverified(text) else { continue }
            seen.insert(text)
            candidates.append(token)
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x32...0x37: true
        default: false
        }
    }
}
