import TrafficShaping

/// Other lanes that may take one's mail.
struct Elsewhere: Sendable {
    /// When the first of them takes mail.
    let opensAt: @Sendable (SteadySeconds) -> SteadySeconds
    /// Gives mails to them; returns those that none takes at present.
    let handOver: @Sendable ([QueuedMail]) -> [QueuedMail]
}
