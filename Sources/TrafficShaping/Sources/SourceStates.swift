/// How the lanes of a pool's sources to one site stand at one moment, while mails are spread over them.
package struct SourceStates: Sendable {
    private let readiness: [MailSource: LaneReadiness]
    private var probes: [MailSource]

    package init(_ sources: [MailSource], _ readiness: (MailSource) -> LaneReadiness) {
        self.readiness = Dictionary(sources.map { ($0, readiness($0)) }) { $1 }
        probes = sources.count == 1 ? [] : sources.filter { readiness($0) == .wantsProbe }
    }

    /// The operator has the mail of all of them ended.
    package var endMail: Bool { readiness.values.allSatisfy { $0 == .rests(until: .infinity) } }

    /// A source that one mail is to find out about, as long as others are open; each once.
    package mutating func takeProbe() -> MailSource? { probes.popLast() }

    /// When the source may send again; nil where it may now.
    ///
    /// - Parameter withProbes: a lane that is being probed rests.
    package func restsUntil(
        _ source: MailSource, withProbes: Bool, _ now: SteadySeconds = 0
    ) -> SteadySeconds? {
        switch readiness[source] ?? .open {
        case .open: nil
        case .wantsProbe: withProbes ? .infinity : nil
        case .rests(let until): withProbes || until > now ? until : nil
        }
    }
}
