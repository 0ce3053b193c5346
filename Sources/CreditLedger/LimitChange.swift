import Crypto
package import MailTypes
package import Postgres

/// What an account's credit limit was set to. Changes are only ever added; the last one is what holds.
package struct LimitChange: Sendable, Hashable {
    package let account: AccountID
    /// 1, 2, 3 … within the account, without gaps; the first is of its opening.
    package let number: Int64
    /// Credits that the account may go below zero, ≥ 0.
    package let limit: Int64
    package let memo: String
    package let createdAt: PostgresTimestamp
    /// HMAC-SHA256 over the link of the change before and all fields of this one. Nil where the database has noted the change
    /// itself: that of an opening by a version before, or one that nobody asked the ledger for.
    package let chain: [UInt8]?

    /// What the next change is chained to: the chain value, or without one SHA-256 of all fields.
    var link: [UInt8] { chain ?? Array(SHA256.hash(data: fields(after: []))) }

    func chained(by chain: EntryChain, after previous: [UInt8]) -> LimitChange {
        LimitChange(
            account: account, number: number, limit: limit, memo: memo, createdAt: createdAt,
            chain: chain.value(of: self, after: previous))
    }

    /// An entry's fields begin with a chain value, which this text is none of: neither passes for the other.
    func fields(after previous: [UInt8]) -> [UInt8] {
        var fields = FieldEncoder()
        fields.append("credit limit")
        fields.append(previous)
        fields.append(account.rawValue)
        fields.append(number)
        fields.append(limit)
        fields.append(memo)
        fields.append(createdAt.microseconds)
        return fields.bytes
    }
}
