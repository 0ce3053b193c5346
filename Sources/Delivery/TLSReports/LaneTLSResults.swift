import SMTPTransport
import Synchronization
import TLSPolicies

/// Counts a lane's sessions for reports on TLS (RFC 8460): an open one once for each domain whose mail it carries, one
/// that did not come about for the domain whose mail was next.
final class LaneTLSResults: Sendable {
    private let results: TLSResults
    private let clock: DeliveryClock
    private let failed = Mutex<[SMTPTLSOutcome]>([])

    init(_ results: TLSResults, clock: DeliveryClock) {
        self.results = results
        self.clock = clock
    }

    /// Told by the connections of the lane.
    func ended(_ outcome: SMTPTLSOutcome) {
        guard !outcome.isSessionOpen else { return }
        failed.withLock { failed in
            if failed.count < Self.mostFailed { failed.append(outcome) }
        }
    }

    /// - Parameter connection: nil if none came about.
    func count(_ mail: QueuedMail, over connection: SMTPConnection?) {
        guard let policy = mail.tlsPolicy else { return }
        let failed = failed.withLock { failed in
            defer { failed = [] }
            return failed
        }
        for outcome in failed { results.count(outcome, under: policy, at: clock.date) }
        guard let connection, let outcome = connection.tlsOutcome, connection.isFirst(for: policy.domain) else {
            return
        }
        results.count(outcome, under: policy, at: clock.date)
    }

    private static let mostFailed = 256
}
