import Campaigns
import Fleet
import Logging
import MailTypes
import NIOPosix
import SMTPProtocol
import SMTPTransport
import Synchronization
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// Lanes without an engine and without a database, whose sender notes what becomes of each mail.
final class SampleRouting: Sendable {
    let dispatcher: Dispatcher
    let lanes: LaneRegistry
    let fleet: FleetState
    let ahead = MailsAhead()
    private let running: Task<Void, Never>

    /// - Parameter carries: false leaves mail in its lanes.
    init(
        _ sender: any MailSender, _ budget: ConnectionBudget = ConnectionBudget(64), dice: Dice = .system,
        _ adjust: (inout DeliveryConfiguration) -> Void = { _ in },
        accounts: [AccountID: AccountShaping] = [:], clock: DeliveryClock = .system,
        carries: Bool = true, gate: @escaping LaneRegistry.ProviderGate = { _, _ in nil }
    ) {
        fleet = FleetState(accounts: accounts)
        var configuration = DeliveryConfiguration(node: "n", heloName: "out.example.net")
        adjust(&configuration)
        let rules = ShapingRules(configuration.providers, configured: configuration.laneLimits)
        let lanes = LaneRegistry(
            configuration, rules: rules,
            in: LaneEnvironment(
                policy: configuration.governor, budget: budget, ahead: ahead, fleet: fleet, sender: sender,
                group: MultiThreadedEventLoopGroup.singleton, clock: clock, logger: .silent), providerGate: gate)
        self.lanes = lanes
        dispatcher = Dispatcher(
            resolver: DestinationResolver(configuration, rules: rules, resolver: nil),
            smarthosts: Smarthosts(configuration.smarthosts, domains: configuration.domains, rules: rules),
            sources: SourceChooser(pools: configuration.sources, fleet: fleet, clock: clock),
            lanes: lanes, sender: sender, dice: dice)
        running = Task {
            guard carries else { return }
            await lanes.run()
        }
    }

    func enqueue(_ positions: Range<Int>, of run: BatchRun, to destinations: Destination...) {
        dispatcher.enqueue(
            positions.map { QueuedMail(run: run, position: $0, queuedAt: lanes.now()) }, to: destinations)
    }

    func end() async {
        await lanes.shutdown()
        await running.value
    }
}

extension Destination {
    /// The site of one host with these addresses.
    static func sample(_ addresses: [String], host: String = "mx.acme.example", port: Int) throws -> Self {
        Destination(
            id: LaneID(provider: "acme", hosts: [host]), provider: .relay(limits: LaneLimits()),
            targets: try addresses.map {
                SMTPTarget(host: host, address: try #require(IPAddress($0)), port: port)
            })
    }
}

extension ReadyMail {
    /// Without content, for lanes whose sender makes none.
    static func sample(_ mail: QueuedMail, readyAt: SteadySeconds = DeliveryClock.system.steady()) -> ReadyMail {
        ReadyMail(mail, token: "", Content(signature: [], message: [], isInternationalised: false), readyAt: readyAt)
    }
}

/// Notes what lanes do with mails.
final class RecordingSender: MailSender {
    private struct State {
        var sent: Set<Int> = []
        var failed: Set<Int> = []
        var requeued: [Int: Double] = [:]
        var ended: Set<Int> = []
        var delivers = false
    }

    private let state = Mutex(State())
    private let answer: Answer

    /// What the mail at a position is answered that leaves from this address.
    typealias Answer = @Sendable (_ position: Int, _ source: String) -> LaneAnswer

    init(_ answer: @escaping Answer = { _, _ in .accepted }) { self.answer = answer }

    var sent: Set<Int> { state.withLock(\.sent) }
    var failed: Set<Int> { state.withLock(\.failed) }
    /// With the seconds after which they come again.
    var requeued: [Int: Double] { state.withLock(\.requeued) }
    var heard: Set<Int> { state.withLock { $0.sent.union($0.failed).union($0.requeued.keys).union($0.ended) } }
    /// Really sends the mails.
    var delivers: Bool {
        get { state.withLock(\.delivers) }
        set { state.withLock { $0.delivers = newValue } }
    }

    func endIfOver(_: QueuedMail) -> Bool { false }

    func prepare(_ mail: QueuedMail) async -> ReadyMail? { .sample(mail) }

    func withdraw(_: ReadyMail) {}

    func send(
        _ ready: ReadyMail, over connection: SMTPConnection, provider: Provider, isSmarthost: Bool,
        next: @escaping @Sendable () -> SMTPEnvelope?, step: (DeliveryReport) -> SMTPAttempt.Step
    ) async -> LaneAnswer {
        let mail = ready.mail
        if delivers {
            let envelope = SMTPEnvelope(
                reversePath: "a@shop.example", recipient: mail.run.batch.records[mail.position].address,
                needsSMTPUTF8: false, is8Bit: false, size: 20, requiresTLS: false)
            _ = await connection.deliver(
                envelope, OutgoingMessage(header: Array("Subject: a\r\n".utf8), content: Array("\r\nb\r\n".utf8)))
        }
        state.withLock { _ = $0.sent.insert(mail.position) }
        return answer(mail.position, connection.tlsOutcome?.localAddress?.description ?? "")
    }

    func fail(
        _ mail: QueuedMail, _ failure: SMTPConnectFailure, _ report: DeliveryReport, provider: Provider
    ) -> LaneAnswer {
        state.withLock { _ = $0.failed.insert(mail.position) }
        return .broken
    }

    func requeue(_ mail: QueuedMail, inSeconds seconds: Double, awaitsResume: Bool, because reason: RequeueReason) {
        state.withLock { $0.requeued[mail.position] = seconds }
    }

    func giveUp(_ mail: QueuedMail) { state.withLock { _ = $0.ended.insert(mail.position) } }
}
