package import MailTypes

/// Spreads the claims of accounts whose rate is capped, so that a capped campaign waits in the database and not here.
package struct AccountPacer: Sendable {
    /// When all that was claimed of an account will have gone at its rate.
    private var spentUntil: [AccountID: SteadySeconds] = [:]

    package init() {}

    /// Accounts that get no batch now.
    package mutating func waiting(at now: SteadySeconds) -> [AccountID] {
        spentUntil = spentUntil.filter { $0.value > now }
        return spentUntil.keys.filter { spentUntil[$0, default: 0] > now + Self.aheadSeconds }
    }

    /// - Parameter rate: mails a second that this node may send for the account.
    package mutating func claimed(_ count: Int, of account: AccountID, rate: Double, at now: SteadySeconds) {
        spentUntil[account] = max(spentUntil[account] ?? now, now) + Double(count) / rate
    }

    /// So much is claimed in advance, so that lanes do not run dry.
    private static let aheadSeconds = 1.0
}
