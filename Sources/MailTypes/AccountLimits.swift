import Synchronization

/// What an operator may set for an account in place of what holds for all. The raw value is stored and published.
package enum AccountLimit: String, Sendable, CaseIterable {
    case drafts
    /// That were sent and have not ended.
    case campaigns
    case suppressions
    case domains
    /// That are neither revoked nor expired.
    case keys
    case webhooks
    /// For `Idempotency-Key`.
    case storedAnswers = "stored_answers"
    /// Of recipients, at a time on a node.
    case uploads
    /// At work on a node, as database connections.
    case requests
    /// Octets of JSON bodies that are open at a time on a node.
    case bodyBytes = "body_bytes"
    /// Written by its people within a day.
    case invitations

    /// What it may be set to. The ends are what a node and its database bear, see docs/operators/limits.md.
    package var range: ClosedRange<Int> {
        switch self {
        case .drafts, .campaigns: 0...50_000
        case .suppressions: 0...500_000_000
        case .domains: 0...10_000
        case .keys: 0...10_000
        case .webhooks: 0...200
        case .storedAnswers: 0...100_000_000
        case .uploads: 0...64
        case .requests: 1...8
        case .bodyBytes: 0...134_217_728
        case .invitations: 0...10_000
        }
    }

    /// What is set for an account that a stranger has opened, until an operator says otherwise. Nobody vouches for it and it has
    /// paid nothing: so it may try everything out, has none of the room that costs disk or memory, and writes to nobody in the
    /// name of the installation.
    package static let ofStrangers: [AccountLimit: Int] = [
        .drafts: 1, .campaigns: 20, .suppressions: 10_000, .domains: 3, .keys: 5, .webhooks: 1, .storedAnswers: 1_000,
        .uploads: 1, .requests: 1, .bodyBytes: 4_194_304, .invitations: 0,
    ]
}

/// What operators have set for accounts, as of a second ago. Rooms ask it beside their own bound, which holds for all
/// accounts that nothing was set for.
package final class AccountLimits: Sendable {
    private let known = Mutex<[AccountID: [AccountLimit: Int]]>([:])

    package init() {}

    /// Nil: as for all accounts.
    package subscript(_ limit: AccountLimit, _ account: AccountID) -> Int? {
        known.withLock { $0[account]?[limit] }
    }

    /// Takes on all that was read.
    package func replace(by limits: [AccountID: [AccountLimit: Int]]) { known.withLock { $0 = limits } }
}
