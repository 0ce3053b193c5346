import Campaigns
package import MailTypes
import SMTPTransport
import Synchronization

/// What a node has done since it started, counted as it happens.
///
/// One lock for all counters: it is taken a few times a mail, which costs less than a thousandth of its signature, and a
/// reading is of one moment.
package final class DeliveryMetrics: Sendable {
    fileprivate struct State {
        var counts = DeliveryCounts()
        var accounts: [AccountID: AccountCounts] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package var counts: DeliveryCounts { state.withLock(\.counts) }
    package var accounts: [AccountID: AccountCounts] { state.withLock(\.accounts) }

    func count(_ counter: WritableKeyPath<DeliveryCounts, Int>, by number: Int = 1) {
        state.withLock { $0.counts[keyPath: counter] += number }
    }

    func concluded(_ outcome: Outcome, of account: AccountID) {
        state.withLock { state in
            state.counts.count(outcome)
            state.withAccount(account) { counts in
                if outcome == .delivered { counts.delivered += 1 } else { counts.failed += 1 }
            }
        }
    }

    func deferred(of account: AccountID) {
        state.withLock { state in
            state.counts.deferred += 1
            state.withAccount(account) { $0.deferred += 1 }
        }
    }

    /// A mail was accepted over this connection.
    func accepted(over connection: SMTPConnection) {
        state.withLock { state in
            if connection.isVerified {
                state.counts.acceptedVerified += 1
            } else if connection.isEncrypted {
                state.counts.acceptedEncrypted += 1
            } else {
                state.counts.acceptedPlain += 1
            }
        }
    }

    func journalled(_ groups: [JournalGroup], inSeconds seconds: Double) {
        let entries = groups.reduce(0) { $0 + $1.entries.count }
        state.withLock { state in
            state.counts.journalEntries += entries
            state.counts.journal.count(seconds)
        }
    }
}

extension DeliveryMetrics.State {
    /// Bounded: where too many accounts are known, all start from zero again.
    fileprivate mutating func withAccount(_ account: AccountID, _ change: (inout AccountCounts) -> Void) {
        if accounts.count >= Self.mostAccounts, accounts[account] == nil { accounts = [:] }
        change(&accounts[account, default: AccountCounts()])
    }

    private static var mostAccounts: Int { 4_096 }
}

/// Counters of a node since its start.
package struct DeliveryCounts: Sendable, Hashable, Codable {
    package var delivered = 0
    package var bounced = 0
    package var expired = 0
    package var suppressed = 0
    package var invalid = 0
    package var cancelled = 0
    package var inDoubt = 0
    /// Attempts that were refused for now.
    package var deferred = 0
    /// Mails given back to the store untried, because their lane took no more.
    package var requeued = 0
    /// Mails sent again, or to be sent again, after an answer was lost.
    package var inDoubtResent = 0

    /// Mails accepted without TLS, with TLS, and with TLS from a server that proved to be the right one.
    package var acceptedPlain = 0
    package var acceptedEncrypted = 0
    package var acceptedVerified = 0

    /// Answers that refused a mail for its sender.
    package var blocks = 0
    /// Campaigns paused because their mail was refused for its sender.
    package var campaignsBlocked = 0

    /// Lines of the accounting log, and those that were lost because it could not keep up or not be written.
    package var accountingWritten = 0
    package var accountingDropped = 0

    package var journalEntries = 0
    package var journalFailures = 0
    /// Groups that the database will never take; their batches were given up.
    package var journalGroupsRefused = 0
    /// Recipients ended in doubt because what was stored of them could not be read.
    package var recipientsUnreadable = 0
    /// Recipients ended without a mail because none could be made for them.
    package var recipientsUnsendable = 0
    /// Batches put off because they could not be opened.
    package var batchesUnopened = 0
    package var journal = Latencies()

    package var batchesClaimed = 0
    package var batchesSettled = 0
    package var batchesParked = 0
    /// Lost to another run.
    package var batchesAbandoned = 0
    /// Could not be worked on; see the log.
    package var batchesFailed = 0

    package init() {}

    mutating func count(_ outcome: Outcome) {
        switch outcome {
        case .delivered: delivered += 1
        case .bounced: bounced += 1
        case .expired: expired += 1
        case .suppressed: suppressed += 1
        case .invalid: invalid += 1
        case .cancelled: cancelled += 1
        case .inDoubt: inDoubt += 1
        }
    }
}

package struct AccountCounts: Sendable, Hashable, Codable {
    package var delivered = 0
    package var deferred = 0
    /// Final, and not delivered.
    package var failed = 0

    package init() {}
}

/// How long something took, in buckets.
package struct Latencies: Sendable, Hashable, Codable {
    /// Upper ends in seconds; what took longer than all is only in ``count``.
    package static let bounds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]

    /// Events of each bucket alone.
    package private(set) var buckets = [Int](repeating: 0, count: bounds.count)
    package private(set) var count = 0
    package private(set) var seconds = 0.0

    package init() {}

    package mutating func count(_ seconds: Double) {
        if let bucket = Self.bounds.firstIndex(where: { seconds <= $0 }) { buckets[bucket] += 1 }
        count += 1
        self.seconds += seconds
    }
}
