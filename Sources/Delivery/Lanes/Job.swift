import SMTPTransport
import TLSPolicies

/// One mail waiting for a connection.
struct Job: Sendable {
    let run: BatchRun
    let position: Int
    var queuedAt: ContinuousClock.Instant
    /// Whether it met a connection that the server had just closed for idleness, and was put back.
    var wasRetried = false
    /// The smarthosts that could not take it: each is asked once, so that mail does not go round in circles.
    var declinedBy: Set<String> = []
    /// Its place in the day's allowance of a source that warms up.
    var warmUp: WarmUpPlace?
    /// What the recipient's domain publishes; nil where mail goes to a smarthost.
    var tlsPolicy: DomainTLSPolicy?
}

extension Job {
    func hasWaited(_ seconds: Double) -> Bool {
        ContinuousClock.now - queuedAt > .milliseconds(Int64(seconds * 1_000))
    }
}
