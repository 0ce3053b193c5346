import MailTypes
import SMTPProtocol
import SMTPTransport
import Synchronization
import TrafficShaping

@testable import Delivery

/// What became of each mail that came, in the order in which it was heard.
final class MailLedger: MailSender {
    struct Fate: Sendable {
        enum End: Hashable {
            case sent
            case failed
            case back(seconds: Double, RequeueReason)
        }

        let mail: QueuedMail
        let end: End
        /// What each source had used of its day at that moment.
        let used: [String: Int]
    }

    private struct State {
        var fates: [Fate] = []
        /// What goes back now was sent from there.
        var sender: String??
        var sentFrom: [String: Int] = [:]
    }

    private let state = Mutex(State())
    /// What each source has used, as the node counts.
    let usage = Mutex<@Sendable () -> [String: Int]>({ [:] })

    var count: Int { state.withLock(\.fates.count) }
    func fates(since start: Int) -> [Fate] { state.withLock { Array($0.fates[start...]) } }
    func sent(from source: String) -> Int { state.withLock { $0.sentFrom[source] ?? 0 } }

    /// Has everything that waits in the lane sent.
    func send(_ lane: Lane) {
        state.withLock { $0.sender = .some(lane.id.source) }
        lane.empty()
        state.withLock { $0.sender = nil }
    }

    func requeue(_ mail: QueuedMail, inSeconds seconds: Double, awaitsResume: Bool, because reason: RequeueReason) {
        let used = usage.withLock(\.self)()
        let isSent = state.withLock { state in
            guard let sender = state.sender else {
                state.fates.append(Fate(mail: mail, end: .back(seconds: seconds, reason), used: used))
                return false
            }
            state.fates.append(Fate(mail: mail, end: .sent, used: used))
            state.sentFrom[sender ?? "", default: 0] += 1
            return true
        }
        if isSent { mail.warmUp?.use() } else { mail.warmUp?.giveBack() }
    }

    func giveUp(_ mail: QueuedMail) {
        mail.warmUp?.giveBack()
        state.withLock { $0.fates.append(Fate(mail: mail, end: .failed, used: [:])) }
    }

    func endIfOver(_: QueuedMail) -> Bool { false }

    func prepare(_ mail: QueuedMail) async -> ReadyMail? { .sample(mail) }

    func withdraw(_: ReadyMail) {}

    func send(
        _: ReadyMail, over _: SMTPConnection, provider _: Provider, isSmarthost _: Bool,
        next _: @escaping @Sendable () -> SMTPEnvelope?, step _: (DeliveryReport) -> SMTPAttempt.Step
    ) async -> LaneAnswer { .unused }

    func fail(_: QueuedMail, _: SMTPConnectFailure, _: DeliveryReport, provider _: Provider) -> LaneAnswer { .unused }
}

/// A provider that wants nothing until some time.
final class RestGate: LaneGate {
    private let until = Mutex<SteadySeconds>(0)

    func rest(until time: SteadySeconds) { until.withLock { $0 = time } }
    func opensAt(_ now: SteadySeconds) -> SteadySeconds { until.withLock { max($0, now) } }

    func permit(forQueued _: Int, at now: SteadySeconds) -> LaneGovernor.Permit {
        opensAt(now) > now ? .at(opensAt(now)) : .now
    }
}

final class SimulatedClock: Sendable {
    private let time: Mutex<Double>
    init(_ start: Double) { time = Mutex(start) }
    var now: Double { time.withLock(\.self) }
    func pass(_ seconds: Double) { time.withLock { $0 += seconds } }
}
