package import MailTypes
package import Postgres

/// What is known of an API key after it was made. The key itself is not.
package struct APIKeyRecord: Sendable, Hashable {
    package let id: APIKeyID
    package let name: String
    /// It opens its account's test account.
    package let isTest: Bool
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
package struct APIKeyID: NumberedID {
    package static let prefix = "key_"
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }
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
