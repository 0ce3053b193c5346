package import MailTypes
package import Postgres
package import Vault

/// One entry of a list that was kept elsewhere, or exported here.
package struct ListedAddress: Sendable, Hashable {
    package enum Subject: Sendable, Hashable {
        case address(EmailAddress)
        /// As this account's own export names an address that it does not know.
        case fingerprint(Fingerprint)
    }

    package let subject: Subject
    package let reason: SuppressionReason
    package let note: String?
    package let createdAt: PostgresTimestamp?

    package init(
        _ subject: Subject, _ reason: SuppressionReason, note: String? = nil, createdAt: PostgresTimestamp? = nil
    ) {
        self.subject = subject
        self.reason = reason
        self.note = note
        self.createdAt = createdAt
    }

    func new(by fingerprinter: Fingerprinter) -> NewSuppression {
        switch subject {
        case .address(let address):
            NewSuppression(
                fingerprinter.fingerprint(address), reason, address: address, note: note, createdAt: createdAt)
        case .fingerprint(let fingerprint): NewSuppression(fingerprint, reason, note: note, createdAt: createdAt)
        }
    }
}
