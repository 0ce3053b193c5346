import Synchronization
import TrafficShaping

/// The smarthosts as they were read last; empty where mail goes to the recipients' own servers.
final class Smarthosts: Sendable {
    private let state: Mutex<[Destination]>
    private let rules: ShapingRules

    init(_ smarthosts: [Smarthost], rules: ShapingRules) {
        self.rules = rules
        state = Mutex(smarthosts.map { Destination($0, rules.provider(of: $0)) })
    }

    var destinations: [Destination] { state.withLock(\.self) }

    /// Such as `smtp.example.net:587`.
    var names: Set<String> { Set(destinations.compactMap(\.smarthost?.name)) }

    /// Those that stay by name may have changed.
    ///
    /// - Returns: the destinations that differ from before, with the smarthost as it was.
    func reload(_ new: [Smarthost]) -> [(old: Smarthost, new: Destination)] {
        let new = Dictionary(new.map { ($0.name, $0) }) { $1 }
        return state.withLock { destinations in
            var changed: [(Smarthost, Destination)] = []
            for index in destinations.indices {
                guard let old = destinations[index].smarthost, let read = new[old.name] else { continue }
                let smarthost = old.following(read)
                guard smarthost != old else { continue }
                destinations[index].smarthost = smarthost
                destinations[index].targets = smarthost.targets
                changed.append((old, destinations[index]))
            }
            return changed
        }
    }
}
