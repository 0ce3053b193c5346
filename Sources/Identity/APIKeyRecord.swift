package import MailTypes
package import Postgres

/// What is known of an API key after it was made. The key itself is not.
package struct APIKeyRecord: Sendable, Hashable {
    package let id: APIKeyID
    package let name: String
    /// The first 12 characters of the key.
    package let displayPrefix: String
    package let terms: KeyTerms
    /// Requests in a minute; nil: as the operator has set for all keys.
    package let requestsPerMinute: Int?
    package let createdAt: PostgresTimestamp
    /// To the minute.
    package let lastUsedAt: PostgresTimestamp?
    package let revokedAt: PostgresTimestamp?
}

/// Names a key to its account and its operator. Unique over all accounts, and no secret.
///
/// Text form: `key_` and the decimal number.
package struct APIKeyID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    package init?(_ text: String) {
        // Int64 also reads "+7" and "007"; one key has one text.
        guard text.hasPrefix(Self.prefix), let value = Int64(text.dropFirst(Self.prefix.count)), value > 0,
            text == "\(Self.prefix)\(value)"
        else { return nil }
        rawValue = value
    }

    package var description: String { "\(Self.prefix)\(rawValue)" }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    private static let prefix = "key_"
}

/// Whom a valid API key stands for, and what it may do.
package struct AuthenticatedKey: Sendable, Hashable {
    package let account: AccountID
    package let id: APIKeyID
    package let terms: KeyTerms
    /// Requests in a minute; nil: as the operator has set for all keys.
    package let requestsPerMinute: Int?
    /// SHA-256 of the key: finds it again without the key itself.
    let hash: [UInt8]
}
