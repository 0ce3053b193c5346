/// Every bound of API keys and idempotency keys in one place.
package enum IdentityLimits {
    package static let nameCharacters = 100
    /// How long an authenticated key is believed without asking the database: the longest time that a revoked key
    /// lives on other nodes, also where they hear nothing of each other.
    package static let cacheSeconds: Int64 = 1
    package static let cachedKeys = 10_000
    package static let listedKeys = 1_000
    /// Keys of an account that are neither revoked nor expired.
    package static let keys = 1_000
    /// Addresses and prefixes that a key may be limited to.
    package static let networks = 100
    /// What a key may have.
    package static let requestsPerMinute = 1...1_000_000
    /// Answers kept for an account.
    package static let answers = 1_000_000
    package static let idempotencyKeyOctets = 255
    package static let scopeOctets = 512
    package static let contentTypeOctets = 255
    /// The largest answer that is kept for a repetition.
    package static let bodyOctets = 1 << 20
    /// How long an answer is kept.
    package static let idempotencyHours = 48
    /// How long it is kept what became of second factors. The database deletes nothing that is younger (757).
    package static let factorChangeDays: Int64 = 400
    /// Rows that one statement of a sweep deletes, so that it never holds many locks.
    package static let sweepRows = 5_000
}
