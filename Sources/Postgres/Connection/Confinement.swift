import Synchronization

/// To whose rows a connection is confined while it is lent.
///
/// It is a value of the client. The server hears of it at the beginning of each transaction, as the setting
/// ``setting``, which goes with the transaction: a session that is lent again carries nothing over. Policies compare it
/// with `account_id` (decision 0117).
final class Confinement: Sendable {
    /// The setting that policies read, through the function `session_account()`.
    static let setting = "sluice.account"
    /// Says it for the transaction that it is sent in. The parameter is the account's number as text.
    static let statement = "SELECT pg_catalog.set_config('sluice.account', $1, true)"

    /// Accounts are numbered from 1 on.
    private static let nobody: Int64 = 0
    private let number = Atomic<Int64>(nobody)

    /// The account for the transactions that begin from now on; nil: nobody's rows are seen.
    var account: Int64? {
        get {
            let number = number.load(ordering: .acquiring)
            return number == Self.nobody ? nil : number
        }
        set { number.store(newValue ?? Self.nobody, ordering: .releasing) }
    }

    /// What begins a transaction of several statements.
    var begin: String {
        guard let account else { return "BEGIN" }
        return "BEGIN;SET LOCAL \(Self.setting) = '\(account)'"
    }
}
