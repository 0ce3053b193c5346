import Campaigns
import Fleet
import Logging
import MailTypes
import Synchronization
import TrafficShaping

/// What operators have ordered, as this node read it last: has its batches and lanes obey.
final class OrderKeeper: Sendable {
    private struct State {
        /// As last read.
        var orders = ActiveOrders()
        /// Readings that have begun, and the one that ``orders`` is of.
        var readings = 0
        var reading = 0
        /// How often mail of stopped lanes was called back.
        var recalls = 0
    }

    private let state = Mutex(State())
    private let store: DeliveryStore
    private let fleetStore: FleetStore
    private let batches: ActiveBatches
    private let lanes: LaneRegistry
    private let gates: ProviderGates
    private let clock: DeliveryClock
    private let logger: Logger

    init(
        store: DeliveryStore, fleetStore: FleetStore, batches: ActiveBatches, lanes: LaneRegistry,
        gates: ProviderGates, clock: DeliveryClock, logger: Logger
    ) {
        self.store = store
        self.fleetStore = fleetStore
        self.batches = batches
        self.lanes = lanes
        self.gates = gates
        self.clock = clock
        self.logger = logger
    }

    var active: ActiveOrders { state.withLock(\.orders) }
    /// How often mail of stopped lanes was called back.
    var recalls: Int { state.withLock(\.recalls) }

    // MARK: Given here

    /// See ``DeliveryEngine/order(_:lanes:seconds:reason:)``.
    func give(
        _ action: OperatorOrder.Action, lanes pattern: String, seconds: Double?, reason: String
    ) async throws -> [String: Int] {
        let names = lanes.all(pattern).map(\.id.description)
        guard !names.isEmpty else { return [:] }
        _ = try await store.give(action, to: .lanes(pattern), seconds: seconds, reason: reason)
        logger.notice("lanes ordered", metadata: ["lanes": "\(pattern)", "order": "\(action.rawValue)"])
        let ended = try await readAndObey()
        return Dictionary(uniqueKeysWithValues: names.map { ($0, ended[$0] ?? 0) })
    }

    /// See ``DeliveryEngine/resume(lanes:)``.
    func resume(lanes pattern: String) async throws -> [String] {
        let lanes = lanes.all(pattern)
        var names = Set(lanes.map(\.id.description))
        for order in try await store.orders() where order.action != .resume {
            guard case .lanes(let other) = order.target else { continue }
            let namesLane = lanes.contains { $0.id.matches(other) }
            guard namesLane || other == pattern else { continue }
            if !namesLane { names.insert(other) }
            try await store.lift(order.target)
        }
        guard !names.isEmpty else { return [] }
        _ = try await store.give(.resume, to: .lanes(pattern), seconds: Self.resumeSeconds)
        logger.notice("lanes resumed", metadata: ["lanes": "\(pattern)"])
        _ = try await readAndObey()
        return names.sorted()
    }

    /// Long enough for every node to hear of it.
    private static let resumeSeconds = 10.0

    // MARK: Given anywhere

    /// Until cancelled: another node, or a command, may have been told.
    func follow() async {
        await Repeating(logger: logger).every(.seconds(2), orSay: "orders not read") { _ = try await readAndObey() }
    }

    func refresh() async {
        do {
            _ = try await readAndObey()
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("orders not read", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: how many waiting mails were ended, by lane.
    private func readAndObey() async throws -> [String: Int] {
        let reading = state.withLock { state in
            state.readings += 1
            return state.readings
        }
        let orders = ActiveOrders(try await store.orders())
        let new = state.withLock { state -> [OperatorOrder]? in
            // A reading that began later has seen all that this one has.
            guard reading > state.reading else { return nil }
            state.reading = reading
            defer { state.orders = orders }
            return orders.new(since: state.orders)
        }
        guard let new else { return [:] }
        // Runs that begin from now on ask for the orders themselves.
        let now = clock.seconds
        for run in batches.runs.values where orders.suspend(run.batch, at: now) { run.stop(.park) }
        let ended = lanes.obey(orders)
        try await obeyOnce(new)
        return ended
    }

    private func obeyOnce(_ orders: [OperatorOrder]) async throws {
        var recalls = false
        for order in orders {
            guard case .lanes(let pattern) = order.target else { continue }
            if order.action == .resume { try await resumeAll(pattern) }
            // Each node asks for it, since one that had not heard yet may have given the mail back once more.
            recalls = recalls || order.action == .resume || order.action == .fail
        }
        if recalls { try await recall() }
    }

    /// Ends rests of lanes, and of the providers that they share limits with.
    private func resumeAll(_ pattern: String) async throws {
        let lanes = lanes.all(pattern)
        for provider in Set(lanes.map(\.id.provider)).union([pattern]) {
            gates.resume(provider)
            try await fleetStore.forgetRests(of: provider)
        }
        for lane in lanes { lane.resume() }
    }

    /// Has mail claimed at once that was given back because its lane stood still.
    func recall() async throws {
        state.withLock { $0.recalls += 1 }
        try await store.recall()
    }
}
