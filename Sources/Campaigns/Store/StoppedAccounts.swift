import MailTypes
import Synchronization

/// Accounts whose key in the vault is missing or wrong: nothing of theirs is claimed for a while, then the vault is asked
/// again.
final class StoppedAccounts: Sendable {
    static let seconds = 60

    private let ends = Mutex<[AccountID: ContinuousClock.Instant]>([:])

    func add(_ account: AccountID) {
        ends.withLock { $0[account] = .now + .seconds(Self.seconds) }
    }

    /// Those to be left out now.
    var accounts: [AccountID] {
        ends.withLock { ends in
            guard !ends.isEmpty else { return [] }
            let now = ContinuousClock.now
            ends = ends.filter { $0.value > now }
            return Array(ends.keys)
        }
    }
}
