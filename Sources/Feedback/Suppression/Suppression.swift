package import MailTypes
package import Postgres
package import Vault

/// An address that an account must not mail, known by its fingerprint, and by itself where the account has named it.
package struct Suppression: Sendable, Hashable {
    package let fingerprint: Fingerprint
    /// Nil where only campaigns and recipients have met it.
    package let address: EmailAddress?
    package let reason: SuppressionReason
    package let origin: SuppressionOrigin
    /// For people; holds no address.
    package let note: String?
    /// When the address was first suppressed; a stronger reason later does not change it.
    package let createdAt: PostgresTimestamp

    package init(
        fingerprint: Fingerprint, address: EmailAddress?, reason: SuppressionReason, origin: SuppressionOrigin,
        note: String?, createdAt: PostgresTimestamp
    ) {
        self.fingerprint = fingerprint
        self.address = address
        self.reason = reason
        self.origin = origin
        self.note = note
        self.createdAt = createdAt
    }

    /// The place of this row in the list.
    package var cursor: SuppressionCursor { SuppressionCursor(createdAt: createdAt, fingerprint: fingerprint) }
}

/// One address to suppress.
package struct NewSuppression: Sendable, Hashable {
    package let fingerprint: Fingerprint
    package let reason: SuppressionReason
    /// Kept sealed. Only what the account itself names: addresses that campaigns meet are forgotten with them.
    package let address: EmailAddress?
    package let note: String?
    /// Nil: now. Not in the future.
    package let createdAt: PostgresTimestamp?

    package init(
        _ fingerprint: Fingerprint, _ reason: SuppressionReason, address: EmailAddress? = nil, note: String? = nil,
        createdAt: PostgresTimestamp? = nil
    ) {
        self.fingerprint = fingerprint
        self.reason = reason
        self.address = address
        self.note = note
        self.createdAt = createdAt
    }
}

/// Somebody who is to be mailed: by the account's fingerprint, and by the address, which has another one in the
/// installation's own list.
package struct Addressee: Sendable, Hashable {
    package let fingerprint: Fingerprint
    package let address: EmailAddress

    package init(_ fingerprint: Fingerprint, _ address: EmailAddress) {
        self.fingerprint = fingerprint
        self.address = address
    }
}
