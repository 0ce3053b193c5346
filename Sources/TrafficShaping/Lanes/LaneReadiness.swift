/// Whether a lane may be given mail.
package enum LaneReadiness: Sendable, Hashable {
    case open
    /// One mail, to find out.
    case wantsProbe
    /// - Parameter until: when to look again, at the latest; infinity for a lane in which mail ends.
    case rests(until: SteadySeconds)

    /// When to look again; now where a mail may come.
    package func opensAt(_ now: SteadySeconds) -> SteadySeconds {
        if case .rests(let until) = self { until > now ? until : now + 1 } else { now }
    }

    /// How the best of several lanes stands that a mail may take; it rests until the first of them does not.
    package static func best(of all: [LaneReadiness], at now: SteadySeconds) -> LaneReadiness {
        if all.contains(.open) { return .open }
        if all.contains(.wantsProbe) { return .wantsProbe }
        return .rests(until: all.map { $0.opensAt(now) }.min() ?? now)
    }
}
