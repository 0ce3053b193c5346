import MailTypes
import Synchronization
import TrafficShaping

/// The smarthosts and the rules of domains as they were read last: whose mail goes by which smarthosts, and whose to the
/// recipients' own servers.
final class Smarthosts: Sendable {
    fileprivate struct State {
        let known: [Destination]
        let domains: DomainRules
        /// For each smarthost those that some mail over it may take instead.
        let others: [LaneID: [LaneID]]
    }

    private let state: Mutex<State>
    private let rules: ShapingRules

    init(_ smarthosts: [Smarthost], domains: DomainRules = DomainRules(), rules: ShapingRules) {
        self.rules = rules
        state = Mutex(
            State(known: smarthosts.map { Destination($0, rules.provider(of: $0)) }, domains: domains))
    }

    /// The smarthosts that mail to a domain may take, none where it goes to the recipients' own servers; and the rule of
    /// the domain, if there is one.
    func way(of domain: DomainName) -> (smarthosts: [Destination], rule: DomainRules.Rule?) {
        state.withLock { state in
            let rule = state.domains.rule(for: domain)
            return (state.smarthosts(rule), rule)
        }
    }

    /// Those that some mail over this one may take instead.
    func others(than destination: Destination) -> [Destination] {
        state.withLock { state in
            let others = state.others[destination.id] ?? []
            return others.isEmpty ? [] : state.known.filter { others.contains($0.id) }
        }
    }

    /// Such as `smtp.example.net:587`: those that take the mail of domains without rules.
    var usualNames: Set<String> { state.withLock { Set($0.smarthosts(nil).compactMap(\.smarthost?.name)) } }

    /// Those that stay by name may have changed, and those that only rules name may come and go.
    ///
    /// - Returns: the destinations that differ from before, with the smarthost as it was; and those that have gone.
    func reload(
        _ new: [Smarthost], domains: DomainRules
    ) -> (changed: [(old: Smarthost, new: Destination)], gone: [Destination]) {
        state.withLock { state in
            let old = Dictionary(state.known.compactMap { one in one.smarthost.map { ($0.name, one) } }) { $1 }
            var changed: [(Smarthost, Destination)] = []
            let known = new.map { read in
                guard var destination = old[read.name], let before = destination.smarthost else {
                    return Destination(read, rules.provider(of: read))
                }
                let smarthost = before.following(read)
                guard smarthost != before else { return destination }
                destination.smarthost = smarthost
                destination.targets = smarthost.targets
                changed.append((before, destination))
                return destination
            }
            let names = Set(new.map(\.name))
            let gone = old.filter { !names.contains($0.key) }.map(\.value)
            state = State(known: known, domains: domains)
            return (changed, gone)
        }
    }
}

extension Smarthosts.State {
    fileprivate init(known: [Destination], domains: DomainRules) {
        self.known = known
        self.domains = domains
        var others: [LaneID: Set<LaneID>] = [:]
        for way in Set(domains.all.map(\.way)).union([.usual]) {
            let ids = Set(Self.smarthosts(way, of: known).map(\.id))
            for id in ids { others[id, default: []].formUnion(ids.subtracting([id])) }
        }
        self.others = others.mapValues { Array($0) }
    }

    /// - Parameter rule: nil for mail that no rule is for.
    fileprivate func smarthosts(_ rule: DomainRules.Rule?) -> [Destination] {
        Self.smarthosts(rule?.way ?? .usual, of: known)
    }

    private static func smarthosts(_ way: DomainRules.Way, of known: [Destination]) -> [Destination] {
        switch way {
        case .usual: known.filter { $0.smarthost?.isOnlyNamed == false }
        case .direct: []
        case .smarthosts(let names): known.filter { names.contains($0.smarthost?.name ?? "") }
        }
    }
}
