package import MailTypes
package import Postgres

/// An account as the operator sees it.
package struct LedgerAccount: Sendable, Hashable {
    package let id: AccountID
    package let name: String
    package let balance: CreditBalance
    /// The number of the last entry; 0 before the first.
    package let entryCount: Int64
    package let createdAt: PostgresTimestamp
}
