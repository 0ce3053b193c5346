/// Which of several smarthosts takes a mail: by weight among those that are open, and first a single mail to each that is
/// to be probed.
///
///     var choice = SmarthostChoice([.init(weight: 3, readiness: .open), .init(weight: 1, readiness: .open)])
///     choice.choose(declined: { _ in false }, using: &generator)   // 0, three times out of four
package struct SmarthostChoice: Sendable {
    package struct Candidate: Sendable, Hashable {
        /// 1…1,000
        package let weight: Int
        package let readiness: LaneReadiness

        package init(weight: Int, readiness: LaneReadiness) {
            self.weight = weight
            self.readiness = readiness
        }
    }

    private let candidates: [Candidate]
    private var probes: [Int]

    package init(_ candidates: [Candidate]) {
        self.candidates = candidates
        probes = candidates.indices.filter { candidates[$0].readiness == .wantsProbe }
    }

    /// - Parameter declined: whether the mail was declined by the candidate of this index, which is not asked again.
    /// - Returns: the candidate's index; nil where none takes the mail now.
    package mutating func choose(
        declined: (Int) -> Bool, using generator: inout some RandomNumberGenerator
    ) -> Int? {
        if let probe = probes.firstIndex(where: { !declined($0) }) { return probes.remove(at: probe) }
        let open = candidates.indices.filter { candidates[$0].readiness == .open && !declined($0) }
        guard !open.isEmpty else { return nil }
        var ticket = Int.random(in: 0..<open.reduce(0) { $0 + candidates[$1].weight }, using: &generator)
        return open.first { index in
            ticket -= candidates[index].weight
            return ticket < 0
        }
    }

    /// The one that takes mail again first, where mail waits if none takes it now.
    package func firstBack(_ now: SteadySeconds) -> Int? {
        candidates.indices.min { candidates[$0].opensAt(now) < candidates[$1].opensAt(now) }
    }
}

extension SmarthostChoice.Candidate {
    fileprivate func opensAt(_ now: SteadySeconds) -> SteadySeconds {
        if case .rests(let until) = readiness { until } else { now }
    }
}
