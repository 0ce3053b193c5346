import MailTypes

/// Six digits that somebody is mailed.
struct MailCode: Sendable {
    let digits: Redacted<String>

    /// A new one.
    init() {
        var generator = SystemRandomNumberGenerator()
        let number = String(Int.random(in: 0..<1_000_000, using: &generator))
        digits = Redacted(String(repeating: "0", count: Self.count - number.count) + number)
    }

    /// As people type it, with blanks between the digits or around them.
    ///
    /// - Returns: nil for what is none
    init?(_ text: String) {
        let typed = text.filter { $0 != " " }
        guard typed.utf8.count == Self.count, typed.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        digits = Redacted(typed)
    }

    private static let count = 6
}

/// What a code is good for.
enum MailCodePurpose: String, Sendable {
    case password, device
}

/// Why a code brings nobody on.
package enum MailCodeError: String, Error, Sendable, Hashable, CaseIterable {
    /// Another code. There are further attempts.
    case refused = "code_refused"
    /// Used, too old, tried too often, or not asked for by this browser.
    case over = "code_over"

    /// A stable name for programs.
    package var code: String { rawValue }
}

extension MailCodeError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .refused: "this is not the code of the mail"
        case .over:
            "the code was used, tried too often, is too old, or was asked for by another browser; ask for another"
        }
    }
}
