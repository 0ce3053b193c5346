import MailTypes
import Postgres
import Vault

/// A row of a suppression list, as it is written.
struct SuppressionRow: Sendable {
    let account: AccountID
    let fingerprint: Fingerprint
    var rank: Int16
    var origin: String
    var note: String?
    var sealed: [UInt8]?
    var createdAt: PostgresTimestamp?

    init(
        _ new: NewSuppression, _ account: AccountID, _ origin: SuppressionOrigin, note: String? = nil,
        sealed: [UInt8]? = nil
    ) {
        self.account = account
        fingerprint = new.fingerprint
        rank = new.reason.rank
        self.origin = origin.rawValue
        self.note = new.note ?? note
        self.sealed = sealed
        createdAt = new.createdAt
    }

    /// One row for each address, with its strongest reason, in the order of the table's key: two transactions with the same
    /// addresses then cannot deadlock.
    static func merged(_ rows: [SuppressionRow]) -> [SuppressionRow] {
        struct Key: Hashable {
            let account: AccountID
            let fingerprint: Fingerprint
        }
        var byKey: [Key: SuppressionRow] = [:]
        byKey.reserveCapacity(rows.count)
        for row in rows {
            let key = Key(account: row.account, fingerprint: row.fingerprint)
            byKey[key] = byKey[key].map { $0.merged(with: row) } ?? row
        }
        return byKey.values.sorted {
            ($0.account.rawValue, $0.fingerprint.high, $0.fingerprint.low)
                < ($1.account.rawValue, $1.fingerprint.high, $1.fingerprint.low)
        }
    }

    private func merged(with other: SuppressionRow) -> SuppressionRow {
        var stronger = rank >= other.rank ? self : other
        stronger.sealed = sealed ?? other.sealed
        return stronger
    }
}

extension SealingKey {
    /// The seal belongs to its row: moved to another one it does not open.
    func seal(_ address: EmailAddress, _ fingerprint: Fingerprint, _ account: AccountID) throws(VaultError) -> [UInt8] {
        try seal(Array(address.text.utf8), as: Self.context(fingerprint, account))
    }

    func openAddress(
        _ sealed: [UInt8], _ fingerprint: Fingerprint, _ account: AccountID
    ) throws -> EmailAddress {
        try EmailAddress(utf8: open(sealed, as: Self.context(fingerprint, account))[...])
    }

    private static func context(_ fingerprint: Fingerprint, _ account: AccountID) -> SealContext {
        SealContext(
            account: account, purpose: .suppression,
            label: String(fingerprint.high, radix: 16) + "-" + String(fingerprint.low, radix: 16))
    }
}
