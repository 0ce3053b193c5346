import Synchronization

/// The counters of a sink, shared by its event loops.
final class SinkTally: Sendable {
    private struct State {
        var totals = SinkTotals()
        /// Copies taken for each recipient.
        var copies: [RecipientDigest: UInt32] = [:]
        /// How often each recipient that ever was put off has been.
        var deferrals: [RecipientDigest: UInt32] = [:]
    }

    private let state = Mutex(State())

    var totals: SinkTotals { state.withLock { $0.totals } }

    func copies(of recipient: RecipientDigest) -> Int {
        state.withLock { Int($0.copies[recipient] ?? 0) }
    }

    func deferrals(of recipient: RecipientDigest) -> Int {
        state.withLock { Int($0.deferrals[recipient] ?? 0) }
    }

    func count(_ counter: any WritableKeyPath<SinkTotals, Int> & Sendable) {
        state.withLock { $0.totals[keyPath: counter] += 1 }
    }

    func received(octets: Int) {
        state.withLock { $0.totals.bytes += octets }
    }

    func accepted(_ recipients: [SinkSession.Recipient], dropped: Bool) {
        state.withLock { state in
            state.totals.messages += 1
            state.totals.copies += recipients.count
            if dropped { state.totals.dropsAfterDot += 1 }
            for recipient in recipients {
                let copies = (state.copies[recipient.digest] ?? 0) + 1
                state.copies[recipient.digest] = copies
                if copies == 1 { state.totals.recipients += 1 }
                if copies == 2 { state.totals.duplicates += 1 }
            }
        }
    }

    func refused(_ recipient: RecipientDigest, permanently: Bool) {
        state.withLock { state in
            if permanently {
                state.totals.permanent += 1
            } else {
                state.totals.temporary += 1
                state.deferrals[recipient, default: 0] += 1
            }
        }
    }
}
