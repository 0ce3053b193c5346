import Synchronization

/// How many of something an account may have, where counting is not cheap enough for each request: it is counted at most
/// once a minute for each account, so an account may come somewhat above it.
package final class AccountQuota: Sendable {
    package let most: Int

    private struct Finding {
        let isFull: Bool
        let most: Int
        let until: ContinuousClock.Instant
    }

    private let findings = Mutex<[AccountID: Finding]>([:])
    private static let accounts = 10_000

    package init(_ most: Int) {
        self.most = most
    }

    /// - Parameters:
    ///   - own: what was set for the account; nil: ``most``. Another number than before is counted for at once.
    ///   - count: counts what the account has, and need not count beyond the number it is given.
    package func isFull(
        _ account: AccountID, own: Int? = nil, count: (Int) async throws -> Int
    ) async throws -> Bool {
        let most = own ?? most
        let now = ContinuousClock.now
        let known = findings.withLock { $0[account] }
        if let known, known.most == most, known.until > now { return known.isFull }
        let isFull = try await count(most) >= most
        findings.withLock { findings in
            if findings.count >= Self.accounts { findings = [:] }
            findings[account] = Finding(isFull: isFull, most: most, until: now + .seconds(60))
        }
        return isFull
    }
}
