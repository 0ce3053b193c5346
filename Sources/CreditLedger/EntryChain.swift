import Crypto
import MailTypes
import Postgres

/// The keyed chain over an account's entries, and the one over the changes of its limit.
///
/// The key lives outside the database, so that whoever can write to the tables cannot forge an entry, change one or
/// drop one from the middle without a verification showing it. The last entries can still be cut off together with the
/// account's counters: compare ``LedgerVerification/anchor`` with one noted earlier.
struct EntryChain: Sendable {
    private let key: SymmetricKey

    init(key: [UInt8]) { self.key = SymmetricKey(data: key) }

    /// - Parameter previous: the link of the change before; empty for the first one
    func value(of change: LimitChange, after previous: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: change.fields(after: previous), using: key))
    }

    /// - Parameter previous: the chain value of the entry before; empty for the first one
    func value(of entry: LedgerEntry, after previous: [UInt8]) -> [UInt8] {
        var fields = FieldEncoder()
        fields.append(previous)
        fields.append(entry.account.rawValue)
        fields.append(entry.number)
        fields.append(entry.kind.rawValue)
        fields.append(entry.campaign?.rawValue)
        fields.append(entry.batch.map(Int64.init))
        fields.append(entry.amount)
        fields.append(entry.postedBefore)
        fields.append(entry.postedAfter)
        fields.append(entry.heldBefore)
        fields.append(entry.heldAfter)
        fields.append(entry.idempotencyKey)
        fields.append(entry.requestHash)
        fields.append(entry.digest)
        fields.append(entry.memo)
        fields.append(entry.createdAt.microseconds)
        // Entries of before refunds have no such field. The kind, above, tells which form it is.
        if entry.kind == .refund { fields.append(entry.recipient) }
        return Array(HMAC<SHA256>.authenticationCode(for: fields.bytes, using: key))
    }
}
