import Crypto
package import MailTypes

/// What a browser gets at sign-in and at each refresh. It stands in cookies and nowhere else.
package struct SessionSecrets: Sendable {
    /// A signed token, good for ``PeopleLimits/tokenSeconds``.
    package let token: Redacted<String>
    /// Brings the next token; nil where the browser has it already.
    package let refresh: Redacted<String>?
}

/// The secret that brings new tokens: `account.session.secret`, the last part of 43 characters of base 62 (256 bits).
/// SHA-256 of that part is stored.
struct RefreshSecret: Sendable {
    let account: AccountID
    let session: SessionID
    let exposed: String

    /// - Returns: nil unless its form is right.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let account = Int64(parts[0]), account >= 0, let session = Int64(parts[1]), session > 0,
            Self.isSecret(parts[2])
        else { return nil }
        self.account = AccountID(rawValue: account)
        self.session = SessionID(rawValue: session)
        exposed = text
    }

    /// The last part of a new one. The session's number is known only after its row is written, so it is no part of what is
    /// hashed.
    static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = (0..<characters).map { _ in Base62.digits[Int.random(in: 0..<62, using: &generator)] }
        return String(decoding: digits, as: UTF8.self)
    }

    var hash: [UInt8] { Self.hash(of: String(exposed.suffix(Self.characters))) }

    static func hash(of secret: String) -> [UInt8] { Array(SHA256.hash(data: Array(secret.utf8))) }

    /// Whether it has the form of what ``random()`` makes.
    static func isSecret(_ text: some StringProtocol) -> Bool {
        text.utf8.count == characters && text.utf8.allSatisfy(Base62.digits.contains)
    }

    private static let characters = 43
}
