import NIOCore

/// In which order to try the hosts of a destination: as preferred, but those that failed lately come last, so that a
/// dead first host costs its time-out once and not for every connection.
struct SMTPTargetOrder: Sendable {
    private var targets: [SMTPTarget]
    private let backoff: Duration
    private var failedUntil: [SMTPTarget: NIODeadline] = [:]

    init(_ targets: [SMTPTarget], backoff: Duration) {
        self.targets = targets
        self.backoff = backoff
    }

    /// Other targets; what is known of those that stay stays known.
    mutating func follow(_ targets: [SMTPTarget]) {
        self.targets = targets
        let present = Set(targets)
        failedUntil = failedUntil.filter { present.contains($0.key) }
    }

    mutating func failed(_ target: SMTPTarget, at now: NIODeadline) {
        failedUntil[target] = now + TimeAmount(backoff)
    }

    mutating func connected(_ target: SMTPTarget) {
        failedUntil[target] = nil
    }

    func order(at now: NIODeadline) -> [SMTPTarget] {
        let isFresh = { (target: SMTPTarget) in failedUntil[target].map { $0 <= now } ?? true }
        return targets.filter(isFresh) + targets.filter { !isFresh($0) }
    }
}
