package import MailTypes
package import Postgres

/// What is known of an API key after it was made. The key itself is not.
package struct APIKeyRecord: Sendable, Hashable {
    package let id: Int64
    package let account: AccountID
    package let name: String
    package let mode: APIKey.Mode
    /// The first 12 characters of the key.
    package let displayPrefix: String
    package let createdAt: PostgresTimestamp
    /// To the minute.
    package let lastUsedAt: PostgresTimestamp?
    package let revokedAt: PostgresTimestamp?
}

/// Whom a valid API key stands for.
package struct AuthenticatedKey: Sendable, Hashable {
    package let account: AccountID
    package let keyID: Int64
    package let mode: APIKey.Mode
}
