package import Postgres
package import Vault

/// An address that an account must not mail, known by its fingerprint only.
package struct Suppression: Sendable, Hashable {
    package let fingerprint: Fingerprint
    package let reason: SuppressionReason
    package let origin: SuppressionOrigin
    /// For people; holds no address.
    package let note: String?
    /// When the address was first suppressed; a stronger reason later does not change it.
    package let createdAt: PostgresTimestamp

    /// The place of this row in the list.
    package var cursor: SuppressionCursor { SuppressionCursor(createdAt: createdAt, fingerprint: fingerprint) }
}

/// One address to suppress.
package struct NewSuppression: Sendable, Hashable {
    package let fingerprint: Fingerprint
    package let reason: SuppressionReason

    package init(_ fingerprint: Fingerprint, _ reason: SuppressionReason) {
        self.fingerprint = fingerprint
        self.reason = reason
    }
}
