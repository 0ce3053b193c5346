import Logging
import MailTypes
import SMTPProtocol
import SMTPTransport
import Synchronization
import TLSPolicies
import TrafficShaping

/// The lanes of a node: made as mail comes, found by their names, closed when unused. Their workers are children of
/// ``run()``.
final class LaneRegistry: Sendable {
    private struct Entry {
        let lane: Lane
        var destination: Destination
        let source: MailSource?
        /// As the lane has them.
        var targets: [SMTPTarget]
        var askedFor: SteadySeconds
    }

    private struct State {
        var entries: [LaneID: Entry] = [:]
        var orders = ActiveOrders()
        var isShutDown = false
    }

    /// The limit that all lanes of a provider from one source share; nil where there is none.
    typealias ProviderGate = @Sendable (Provider, _ source: String?) -> (any LaneGate)?

    private let state = Mutex(State())
    private let configuration: DeliveryConfiguration
    private let rules: ShapingRules
    private let environment: LaneEnvironment
    private let leaseTokens: SiteRate.Lease
    private let providerGate: ProviderGate
    private let tlsResults: TLSResults?
    let traces = SMTPTraceHub()

    /// - Parameters:
    ///   - leaseTokens: of rates that all nodes keep together.
    ///   - tlsResults: where sessions are counted; nil to count none.
    init(
        _ configuration: DeliveryConfiguration, rules: ShapingRules, in environment: LaneEnvironment,
        leaseTokens: @escaping SiteRate.Lease = { _, _, wanted in wanted },
        providerGate: @escaping ProviderGate = { _, _ in nil }, tlsResults: TLSResults? = nil
    ) {
        self.configuration = configuration
        self.rules = rules
        self.environment = environment
        self.leaseTokens = leaseTokens
        self.providerGate = providerGate
        self.tlsResults = tlsResults
    }

    var budget: ConnectionBudget { environment.budget }
    func now() -> SteadySeconds { environment.clock.steady() }

    /// Carries mail until ``shutdown()``, or until the task is cancelled.
    func run() async { await environment.workers.run() }

    // MARK: Making and finding

    /// The lane that leads there, which is made if it is new. One that is known follows the destination's addresses.
    func lane(
        to destination: Destination, from source: MailSource?, elsewhere: @autoclosure () -> Elsewhere? = nil
    ) -> Lane {
        let id = destination.id.from(source?.address)
        let targets = destination.targets(from: source)
        let now = environment.clock.steady()
        let (lane, hasMoved, isShutDown) = state.withLock { state -> (Lane, Bool, Bool) in
            guard let known = state.entries[id] else {
                let lane = make(id, to: destination, from: source, targets, elsewhere(), state, at: now)
                state.entries[id] = Entry(
                    lane: lane, destination: destination, source: source, targets: targets, askedFor: now)
                return (lane, false, state.isShutDown)
            }
            state.entries[id]?.askedFor = now
            // Smarthosts may have been read anew since the caller asked for them; name servers turn their answers round.
            guard known.destination.smarthost == nil, known.targets != targets else {
                return (known.lane, false, false)
            }
            state.entries[id]?.targets = targets
            state.entries[id]?.destination = destination
            return (known.lane, true, false)
        }
        // The lane keeps its place and what it has learnt.
        if hasMoved { lane.setTargets(targets) }
        // The mail of a node that ends goes back.
        if isShutDown { lane.takeNoMore() }
        return lane
    }

    private func make(
        _ id: LaneID, to destination: Destination, from source: MailSource?, _ targets: [SMTPTarget],
        _ elsewhere: Elsewhere?, _ state: State, at now: SteadySeconds
    ) -> Lane {
        let rules = laneRules(id, to: destination, from: source, provider: rules.provider(of: destination))
        let lane = Lane(
            id, rules: rules, way: way(id, to: destination, from: source, targets),
            order: state.orders.order(for: id, at: now), isShared: source == nil && destination.smarthost == nil,
            elsewhere: elsewhere, tlsResults: tlsResults.map { LaneTLSResults($0, clock: environment.clock) },
            in: environment)
        return lane
    }

    /// How the lane stands that leads there; one not made yet as it would stand.
    func readiness(_ destination: Destination, from source: MailSource?, at now: SteadySeconds) -> LaneReadiness {
        let id = destination.id.from(source?.address)
        let (known, order) = state.withLock { state in
            let known = state.entries[id]?.lane
            return (known, known == nil ? state.orders.order(for: id, at: now) : nil)
        }
        if let known { return known.readiness(at: now) }
        if let order { return .rests(until: order.opensAt(now)) }
        let provider = rules.provider(of: destination) ?? destination.provider
        let opensAt = gate(to: destination, from: source, under: provider)?.opensAt(now) ?? now
        return opensAt > now ? .rests(until: opensAt) : .open
    }

    private func gate(
        to destination: Destination, from source: MailSource?, under provider: Provider
    ) -> (any LaneGate)? {
        destination.smarthost == nil ? providerGate(provider, source?.address) : nil
    }

    var all: [Lane] { state.withLock { $0.entries.values.map(\.lane) } }

    func all(_ pattern: String) -> [Lane] { all.filter { $0.id.matches(pattern) } }

    private func way(
        _ id: LaneID, to destination: Destination, from source: MailSource?, _ targets: [SMTPTarget]
    ) -> ConnectionWay {
        var client = SMTPClientConfiguration(heloName: source?.heloName ?? configuration.heloName)
        client.localAddress = source.flatMap { IPAddress($0.address) }
        client.tls = configuration.tls
        client.withoutExtensions = Set(
            destination.provider.leftOutExtensions.compactMap { SMTPExtensions.Keyword(rawValue: $0) })
        client.requiresTLS = destination.requiresTLS
        client.trustRootsFile = configuration.trustRootsFile
        client.timeouts = configuration.timeouts
        client.credentials = destination.smarthost?.credentials
        client.startsWithTLS = destination.smarthost?.startsWithTLS ?? false
        client.trace = SMTPTrace(hub: traces, lane: id.description) { id.matches($0) }
        return ConnectionWay(targets: targets, client: client, needsLogin: destination.smarthost?.credentials != nil)
    }

    // MARK: Rules

    /// A relay's limits are this node's own, and so are those of an address that no other node has; otherwise the limits
    /// of a site hold for all nodes together.
    private func laneRules(
        _ id: LaneID, to destination: Destination, from source: MailSource?, provider: Provider?
    ) -> LaneRules {
        let provider = provider ?? destination.provider
        let limits = rules.limits(to: destination, under: provider)
        let isShared = source == nil && destination.smarthost == nil
        let gate = gate(to: destination, from: source, under: provider)
        // Behind a gate the rate is the provider's.
        let siteRate = isShared && gate == nil ? limits.rate : nil
        return LaneRules(
            provider: provider, limits: limits,
            siteRate: siteRate.map {
                SiteRate(
                    site: id.description, rate: $0, fleet: environment.fleet, clock: environment.clock,
                    lease: leaseTokens)
            },
            providerGate: gate)
    }

    /// Applies rules that were read anew, to lanes at once. A lane whose provider is gone ends with its queue under the old
    /// rules; new mail of its site goes over a lane of the new provider.
    ///
    /// - Returns: the names of the lanes whose rules have changed.
    func rulesChanged() -> [String] {
        state.withLock { $0.entries }.compactMap { id, entry in
            guard let provider = rules.provider(of: entry.destination) else { return nil }
            let new = laneRules(id, to: entry.destination, from: entry.source, provider: provider)
            return entry.lane.follow(new) ? id.description : nil
        }.sorted()
    }

    /// Lanes to a smarthost that was read anew connect in the new way from now on, and keep what they have learnt.
    func follow(_ destination: Destination, insteadOf old: Smarthost) {
        guard let new = destination.smarthost else { return }
        let entries = state.withLock { state in
            let ids = state.entries.keys.filter { $0.from(nil) == destination.id }
            return ids.compactMap { id -> Entry? in
                guard var entry = state.entries[id] else { return nil }
                entry.destination = destination
                entry.targets = destination.targets(from: entry.source)
                state.entries[id] = entry
                return entry
            }
        }
        for entry in entries {
            let id = entry.lane.id
            _ = entry.lane.follow(
                laneRules(id, to: destination, from: entry.source, provider: rules.provider(of: destination)))
            guard !new.connectsLike(old) else { continue }
            entry.lane.reconnect(way(id, to: destination, from: entry.source, entry.targets))
        }
    }

    // MARK: Orders

    /// Has lanes, and those made from now on, do as the operator orders.
    ///
    /// - Returns: how many waiting mails were ended, by lane.
    func obey(_ orders: ActiveOrders) -> [String: Int] {
        let lanes = state.withLock { state in
            state.orders = orders
            return state.entries.values.map(\.lane)
        }
        let now = environment.clock.steady()
        let ordered = lanes.map { (lane: $0, order: orders.order(for: $0.id, at: now)) }
        // Lanes that are free again come first: they take what others may keep no longer.
        let inTurn = ordered.filter { $0.order == nil } + ordered.filter { $0.order != nil }
        return Dictionary(inTurn.map { ($0.lane.id.description, $0.lane.obey($0.order)) }) { $0 + $1 }
    }

    // MARK: Time passes

    /// Has every lane hand over or send back what waits in vain.
    func tick() {
        for lane in all { lane.tick() }
    }

    /// Closes lanes unused for some minutes that have nothing to forget, so that the memory of sites once mailed is given
    /// back. Those that share their provider's limits go within seconds: there may be very many. The pause also keeps a
    /// lane alive that somebody has just been handed.
    func closeIdle(unusedFor pause: Double = 300, sharingLimits short: Double = 5) async {
        let now = environment.clock.steady()
        let idle = state.withLock { state in
            let idle = state.entries.filter { _, entry in
                entry.lane.mayBeForgotten(
                    unusedFor: now - entry.askedFor, pause: entry.lane.sharesLimits ? short : pause)
            }
            for id in idle.keys { state.entries[id] = nil }
            return idle.values.map(\.lane)
        }
        for lane in idle { await lane.close() }
    }

    /// Cuts off the mails under way, gives back what waits and closes all connections. Called more than once it waits for
    /// what is still open.
    func shutdown() async {
        let lanes = state.withLock { state in
            state.isShutDown = true
            return state.entries.values.map(\.lane)
        }
        for lane in lanes { lane.takeNoMore() }
        environment.workers.stop()
        for lane in lanes { await lane.close() }
    }
}
