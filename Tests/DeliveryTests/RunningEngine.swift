import Campaigns
import DNSResolution
import Delivery
import Logging
import MailSigning
import MailTypes
import NIOPosix
import ServiceLifecycle
import Synchronization
import TLSPolicies
import TestPeers
import TestSupport
import TrafficShaping

/// An engine in a service group, as the server runs it.
final class RunningEngine: Sendable {
    private let group: ServiceGroup
    private let task: Task<Void, any Error>

    init(_ engine: DeliveryEngine) {
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: engine, successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: [], logger: .silent))
        self.group = group
        task = Task { try await group.run() }
    }

    /// Asks for a graceful shutdown, without waiting for its end.
    func beginDrain() async { await group.triggerGracefulShutdown() }

    /// Returns when the engine has ended by itself or after ``beginDrain()``.
    func wait() async throws { try await task.value }

    func drain() async throws {
        await beginDrain()
        try await wait()
    }

    /// Runs an engine for as long as `body` takes; it is drained afterwards, whatever came of it.
    ///
    /// - Parameter server: answers what it holds before that.
    static func with(
        _ engine: DeliveryEngine, to server: MailServer? = nil, _ body: (RunningEngine) async throws -> Void
    ) async throws {
        let running = RunningEngine(engine)
        do {
            try await body(running)
        } catch {
            server?.release()
            try? await running.drain()
            throw error
        }
        server?.release()
        try await running.drain()
    }

    /// Stands for the death of the node: nothing more is recorded, settled or given back.
    func kill() { task.cancel() }

    /// Returns when nothing of a killed engine runs any more.
    func waitForDeath() async { _ = await task.result }
}

extension DeliveryFixture {
    func engine(
        _ node: String = "node", port: Int, local: LocalJournal? = nil, resolver: DNSResolution.Resolver? = nil,
        tlsPolicies: TLSPolicyResolver? = nil, store other: DeliveryStore? = nil, clock: DeliveryClock = .system,
        batchSigner: BatchSigner = .libcrypto, logger: Logger = .silent,
        _ adjust: (inout DeliveryConfiguration) -> Void = { _ in }
    ) -> DeliveryEngine {
        var configuration = DeliveryConfiguration(node: node, heloName: "out.example.net")
        configuration.smarthosts = [.init(host: "127.0.0.1", port: port)]
        configuration.retry = RetrySchedule(baseSeconds: 0.2, maximumSeconds: 0.2)
        configuration.governor.firstPauseSeconds = 0.2
        configuration.governor.maximumPauseSeconds = 0.2
        adjust(&configuration)
        let metrics = DeliveryMetrics()
        let accounting = configuration.accounting.flatMap {
            try? AccountingLog($0, metrics: metrics, logger: logger)
        }
        return DeliveryEngine(
            configuration: configuration, store: other ?? store, fleetStore: fleet, reportTable: tlsReports,
            local: local,
            vault: vault, domains: domains, batchSigner: batchSigner,
            resolver: resolver, tlsPolicies: tlsPolicies, metrics: metrics, accounting: accounting, clock: clock,
            group: MultiThreadedEventLoopGroup.singleton, logger: logger)
    }

    /// Runs `body` beside an engine that delivers to the server and is drained afterwards.
    func withEngine(
        _ node: String = "node", to server: MailServer, _ adjust: (inout DeliveryConfiguration) -> Void = { _ in },
        _ body: (RunningEngine) async throws -> Void
    ) async throws {
        try await server.run { port in
            try await RunningEngine.with(engine(node, port: port, adjust), to: server, body)
        }
    }

    /// Runs `body` beside an engine that is drained afterwards.
    func withEngine(
        _ node: String = "node", port: Int, tlsPolicies: TLSPolicyResolver? = nil,
        _ adjust: (inout DeliveryConfiguration) -> Void = { _ in }, _ body: (RunningEngine) async throws -> Void
    ) async throws {
        try await RunningEngine.with(engine(node, port: port, tlsPolicies: tlsPolicies, adjust), body)
    }
}

extension MailServer {
    /// Holds the answer to the recipient that is tried third, whichever that is: mails that were ready for long go back to the
    /// end of the queue.
    static func holdingThird() -> MailServer {
        let come = Atomic(0)
        // It knows of no mail before that mail's turn.
        return MailServer(offersPipelining: false) { _, _ in
            come.wrappingAdd(1, ordering: .relaxed).newValue == 3 ? .held : .accept
        }
    }
}
