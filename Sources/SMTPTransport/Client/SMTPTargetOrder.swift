import MailTypes
package import NIOCore

/// Which address of a destination the next connection tries (RFC 5321 §5.1), and what is known of each: a decision
/// without I/O; time and chance are given.
///
/// - The most preferred hosts go first. Those of equal preference share the connections: the one with the fewest is
///   next, and chance decides between equals. So one sick host of eight costs an eighth.
/// - A host's addresses of the family that stands first in its list go before the others.
/// - An address that failed rests, twice as long each time, and comes last meanwhile. After its rest one connection
///   finds out for all; for the others it rests on until that is known.
package struct SMTPTargetOrder: Sendable {
    /// What an attempt leaves out.
    package struct Avoidance: Sendable, Hashable {
        package var endpoints: Set<SMTPEndpoint>
        /// Hosts that come last: another address of a host that gave an answer is likely to give the same.
        package var hosts: Set<String>
        /// Whether addresses at rest are left out, too, instead of coming last.
        package var skipsResting: Bool

        package init(endpoints: Set<SMTPEndpoint> = [], hosts: Set<String> = [], skipsResting: Bool = false) {
            self.endpoints = endpoints
            self.hosts = hosts
            self.skipsResting = skipsResting
        }
    }

    /// What is known of one address.
    private struct Standing: Sendable {
        /// Connections to it, those being opened included.
        var connections = 0
        /// How often it failed in a row.
        var failures = 0
        var restsUntil: NIODeadline?
        /// The last failure came after a connection was made, so that only a mail that is answered ends it.
        var failedInSession = false
        /// Its rest is over for one connection.
        var isOnTrial = false
    }

    package private(set) var targets: [SMTPTarget] = []
    private let backoff: Duration
    private var standings: [SMTPEndpoint: Standing] = [:]
    /// For each target, whether it is of its host's first family (0) or of the other (1).
    private var families: [Int] = []

    /// - Parameter backoff: how long an address rests after its first failure.
    package init(_ targets: [SMTPTarget], backoff: Duration) {
        self.backoff = backoff
        setTargets(targets)
    }

    /// Other addresses of the same destination. What is known of those that stay is kept.
    package mutating func setTargets(_ targets: [SMTPTarget]) {
        self.targets = targets
        let first = Dictionary(targets.map { ($0.host, $0.address.isVersion6) }) { first, _ in first }
        families = targets.map { first[$0.host] == $0.address.isVersion6 ? 0 : 1 }
        let endpoints = Set(targets.map(\.endpoint))
        standings = standings.filter { $0.value.connections > 0 || endpoints.contains($0.key) }
    }

    // MARK: Choosing

    /// The address to try now, nil if none is left. It counts as connected to until `ended` is called.
    package mutating func next(
        avoiding: Avoidance = Avoidance(), at now: NIODeadline, using generator: inout some RandomNumberGenerator
    ) -> SMTPTarget? {
        var best: (rank: [Int], index: Int)?
        for (index, target) in targets.enumerated() where allows(target, avoiding, at: now) {
            let ticket = Int.random(in: 0..<Int.max, using: &generator)
            let rank = rank(of: index, avoiding, at: now) + [ticket]
            if best.map({ rank.lexicographicallyPrecedes($0.rank) }) ?? true { best = (rank, index) }
        }
        guard let best else { return nil }
        begin(targets[best.index].endpoint, at: now)
        return targets[best.index]
    }

    /// Whether `next` would find an address.
    package func holdsAnother(avoiding: Avoidance, at now: NIODeadline) -> Bool {
        targets.contains { allows($0, avoiding, at: now) }
    }

    private func allows(_ target: SMTPTarget, _ avoiding: Avoidance, at now: NIODeadline) -> Bool {
        !avoiding.endpoints.contains(target.endpoint) && !(avoiding.skipsResting && rests(target, at: now))
    }

    /// The lower, the better; compared from the first to the last.
    private func rank(of index: Int, _ avoiding: Avoidance, at now: NIODeadline) -> [Int] {
        let target = targets[index]
        let ofHost = targets.reduce(0) { $1.host == target.host ? $0 + connections(to: $1) : $0 }
        return [
            rests(target, at: now) ? 1 : 0, avoiding.hosts.contains(target.host) ? 1 : 0, target.preference,
            families[index], ofHost, connections(to: target),
        ]
    }

    private func connections(to target: SMTPTarget) -> Int { standings[target.endpoint]?.connections ?? 0 }

    private func rests(_ target: SMTPTarget, at now: NIODeadline) -> Bool {
        standings[target.endpoint]?.restsUntil.map { now < $0 } ?? false
    }

    /// A connection is being made that `next` did not choose.
    package mutating func began(_ target: SMTPTarget) {
        standings[target.endpoint, default: Standing()].connections += 1
    }

    private mutating func begin(_ endpoint: SMTPEndpoint, at now: NIODeadline) {
        var standing = standings[endpoint] ?? Standing()
        standing.connections += 1
        if let until = standing.restsUntil, until <= now {
            standing.isOnTrial = true
            standing.restsUntil = now + TimeAmount(rest(afterFailures: standing.failures))
        }
        standings[endpoint] = standing
    }

    // MARK: Learning

    /// A connection, or the attempt to make one, is over.
    package mutating func ended(_ target: SMTPTarget) {
        guard connections(to: target) > 0 else { return }
        standings[target.endpoint]?.connections -= 1
    }

    /// - Parameter inSession: a connection was made, and then the host took no mail for reasons of its own, broke off or
    ///   fell silent.
    package mutating func failed(_ target: SMTPTarget, inSession: Bool = false, at now: NIODeadline) {
        guard targets.contains(where: { $0.endpoint == target.endpoint }) else { return }
        var standing = standings[target.endpoint] ?? Standing()
        // Connections that were made at the same time fail together, which is one failure.
        if standing.isOnTrial || !rests(target, at: now) { standing.failures += 1 }
        standing.isOnTrial = false
        standing.failedInSession = inSession
        standing.restsUntil = now + TimeAmount(rest(afterFailures: standing.failures))
        standings[target.endpoint] = standing
    }

    /// A connection was made. That ends a rest for want of connections.
    package mutating func connected(_ target: SMTPTarget) {
        if standings[target.endpoint]?.failedInSession == false { worked(target) }
    }

    /// A mail was taken, or refused for what it is.
    package mutating func worked(_ target: SMTPTarget) {
        standings[target.endpoint]?.failures = 0
        standings[target.endpoint]?.restsUntil = nil
        standings[target.endpoint]?.isOnTrial = false
    }

    /// Whether the address rests while another does not: connections to it are better given up.
    package func isOutdone(_ target: SMTPTarget, at now: NIODeadline) -> Bool {
        rests(target, at: now) && targets.contains { !rests($0, at: now) }
    }

    /// Somebody says that the trouble is over.
    package mutating func forgetFailures() {
        for target in targets { worked(target) }
    }

    private func rest(afterFailures failures: Int) -> Duration {
        min(backoff * (1 << min(max(failures - 1, 0), 10)), max(backoff, Self.longestRest))
    }

    private static let longestRest = Duration.seconds(300)
}
