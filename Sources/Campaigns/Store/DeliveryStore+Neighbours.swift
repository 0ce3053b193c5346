package import MailTypes
import Postgres

/// What keeps accounts from waiting for each other.
extension DeliveryStore {
    /// Works with an account's own share of the connections, so that what waits for its rows waits among itself.
    package func onBehalf(of account: AccountID, _ body: () async -> Void) async {
        await ConnectionOwner.$current.withValue(.account(account.rawValue)) { await body() }
    }

    /// Whether the same call may well succeed in a moment: database or vault were away or busy, or somebody holds rows that
    /// it needs. Where a commit's answer was lost it is known only then what became of it.
    package static func isPassing(_ error: any Error) -> Bool {
        guard let error = error as? PostgresError else { return false }
        return error.isPassing || error.kind == .commitUnknown
    }

    /// Whether somebody holds rows of the account, or it took too long.
    package static func isTimeout(_ error: any Error) -> Bool { (error as? PostgresError)?.isTimeout == true }
}
