import SMTPProtocol
import SMTPTransport
import Synchronization
import TrafficShaping

/// Carries a lane's mail over one connection at a time, until there is none that may go now.
struct LaneWorker: Sendable {
    let lane: Lane
    let environment: LaneEnvironment

    private var sender: any MailSender { environment.sender }

    /// A mail in the worker's hands.
    private struct Load {
        var mail: QueuedMail
        let rules: LaneRules
        /// The hosts that it was offered to; nil before the first answer.
        var attempt: SMTPAttempt?
        /// Made while the connection carried another; nil where it was not.
        var ready: ReadyMail?

        /// What the attempt came to, where no connection to a further host could be made.
        func report(after failure: SMTPConnectFailure) -> DeliveryReport {
            var attempt = attempt
            guard case .end(let report) = attempt?.next(after: failure) else { return failure.report }
            return report
        }
    }

    @concurrent func run() async {
        let turnEnds = environment.clock.steady() + Self.turnSeconds
        while let next = lane.next(retires: true) {
            if !endIfOver(next.mail) {
                await carry(Load(mail: next.mail, rules: next.rules))
                // A provider counts a connection until it is closed: only then may the next one be opened.
                if next.rules.providerGate != nil { await lane.connections().pool.closed() }
            }
            // Other lanes of the provider wait for its connections.
            if environment.clock.steady() >= turnEnds, next.rules.providerGate?.othersWait ?? false {
                return lane.update { $0.workerYields(at: $1) }
            }
        }
    }

    /// How long a worker keeps a connection that other lanes wait for.
    private static let turnSeconds = 5.0

    // MARK: Taking mail

    private func endIfOver(_ mail: QueuedMail) -> Bool {
        guard sender.endIfOver(mail) else {
            mail.run.start(mail.position)
            return false
        }
        lane.answered(.unused)
        return true
    }

    /// The next mail that needs a connection, without retiring.
    private func takeNext() -> Load? { take { lane.next(retires: false) } }

    private func take(_ ask: () -> (mail: QueuedMail, rules: LaneRules)?) -> Load? {
        while let next = ask() {
            if !endIfOver(next.mail) { return Load(mail: next.mail, rules: next.rules) }
        }
        return nil
    }

    /// The mail to make ready while the connection carries another. The last one before its end has none behind it.
    private func takeAhead(of load: Load, over connection: SMTPConnection) -> Load? {
        guard connection.deliveredCount + 1 < load.rules.limits.messagesPerConnection, environment.ahead.begin()
        else { return nil }
        let next = take { lane.nextAhead() }
        if next == nil { environment.ahead.end() }
        return next
    }

    /// What was made ready, if it may still go: its run was not stopped meanwhile, nor the lane, and it was not asked long ago
    /// whether the address is suppressed. Otherwise it waits for its turn once more.
    private func fresh(_ load: Load?) -> Load? {
        guard let load, let ready = load.ready else { return nil }
        guard environment.clock.steady() - ready.readyAt < Self.freshSeconds, !load.mail.run.isStopped, lane.mayCarryOn
        else {
            putBack(load)
            return nil
        }
        return load
    }

    /// How long a mail that is ready may wait for its connection.
    private static let freshSeconds = 1.0
    /// A connection whose last mail took longer keeps no other waiting behind it.
    private static let quickSeconds = 0.2

    private func putBack(_ load: Load) {
        if let ready = load.ready { sender.withdraw(ready) }
        tryAgain(load.mail)
    }

    // MARK: Sending

    /// Sends `first` and then what waits, as long as the connection is good.
    private func carry(_ first: Load) async {
        let hands = Hands(first)
        let (pool, generation) = lane.connections()
        do throws(SMTPConnectFailure) {
            try await pool.withConnection(for: first.attempt) { connection in
                lane.update { $0.connected(generation, at: $1) }
                var isQuick = false
                while let load = hands.take() {
                    let begun = environment.clock.steady()
                    let (goesOn, next) = await send(
                        load, preparing: isQuick ? takeAhead(of: load, over: connection) : nil, over: connection,
                        of: pool, generation, hands)
                    isQuick = environment.clock.steady() - begun < Self.quickSeconds
                    // What goes back to the pool worn, or made in an older way, is closed there.
                    guard goesOn, connection.isUsable, lane.isCurrent(generation),
                        connection.deliveredCount < load.rules.limits.messagesPerConnection
                    else {
                        if let next { putBack(next) }
                        return
                    }
                    hands.put(fresh(next) ?? takeNext())
                }
            }
        } catch {
            if let load = hands.take() { failed(load, error, generation) }
        }
        guard let load = hands.take() else { return }
        if load.rules.providerGate != nil { await pool.closeIdle() }
        await carry(load)
    }

    /// - Parameter next: made ready meanwhile: its signature and the commit of its intent are done by the time the connection
    ///   is free.
    /// - Returns: `next`, where it may be sent.
    private func send(
        _ load: Load, preparing next: Load?, over connection: SMTPConnection, of pool: SMTPConnectionPool,
        _ generation: Int, _ hands: Hands
    ) async -> (goesOn: Bool, next: Load?) {
        guard let next else { return (await send(load, over: connection, of: pool, generation, hands), nil) }
        async let ready = sender.prepare(next.mail)
        let goesOn = await send(load, over: connection, of: pool, generation, hands)
        let prepared = await ready
        environment.ahead.end()
        if let prepared { return (goesOn, Load(mail: next.mail, rules: next.rules, ready: prepared)) }
        lane.answered(.unused)
        return (goesOn, nil)
    }

    /// - Returns: false where another connection should carry the mail, which is in the hands again.
    private func send(
        _ load: Load, over connection: SMTPConnection, of pool: SMTPConnectionPool, _ generation: Int, _ hands: Hands
    ) async -> Bool {
        let mail = load.mail
        lane.tlsResults?.count(mail, over: connection)
        var attempt = load.attempt ?? pool.beginAttempt()
        let sessions = attempt.sessions
        guard let ready = await ready(load) else {
            lane.answered(.unused)
            return true
        }
        let answer = await sender.send(
            ready, over: connection, provider: load.rules.provider, isSmarthost: lane.id.isSmarthost
        ) { pool.next(&attempt, after: $0, by: connection) }
        switch answer {
        case .connectionWasClosed:
            var again = Load(mail: mail, rules: load.rules, attempt: attempt)
            if attempt.sessions == sessions { again.mail.wasRetried = true }
            hands.put(again)
            return false
        case .notLoggedIn: loginRefused(mail, answer, generation)
        case .unused: lane.answered(.unused)
        default:
            mail.warmUp?.use()
            lane.answered(answer)
        }
        return true
    }

    private func ready(_ load: Load) async -> ReadyMail? {
        if let ready = load.ready { return ready }
        return await sender.prepare(load.mail)
    }

    // MARK: No connection

    private func failed(_ load: Load, _ failure: SMTPConnectFailure, _ generation: Int) {
        let (mail, provider) = (load.mail, load.rules.provider)
        let report = load.report(after: failure)
        lane.tlsResults?.count(mail, over: nil)
        let answer = report.answer(Refusal(report, provider)?.ofRelay)
        let fate = UnreachedMail(
            answer, mayGoElsewhere: lane.id.isSmarthost && lane.elsewhere != nil, mayStart: mail.run.mayStart,
            isCurrentWay: lane.isCurrent(generation))
        switch fate {
        case .fails: lane.answered(sender.fail(mail, failure, report, provider: provider))
        case .triesAgain: tryAgain(mail)
        case .waitsForLogin: loginRefused(mail, answer, generation)
        case .isOffered:
            lane.answered(answer)
            for mail in lane.elsewhere?.handOver([mail]) ?? [mail] {
                _ = sender.fail(mail, failure, report, provider: provider)
            }
        }
    }

    /// The smarthost does not let us log in, which is not the mail's fault: another takes it, or it waits untried.
    private func loginRefused(_ mail: QueuedMail, _ answer: LaneAnswer, _ generation: Int) {
        guard lane.isCurrent(generation) else { return tryAgain(mail) }
        lane.answered(answer)
        let left = lane.elsewhere?.handOver([mail]) ?? [mail]
        if !left.isEmpty { lane.update { $0.returned(left, at: $1) } }
    }

    /// The way to connect has changed since: the mail takes the new one.
    private func tryAgain(_ mail: QueuedMail) {
        lane.answered(.unused)
        lane.update { $0.returned([mail], at: $1) }
    }
}

extension LaneWorker {
    /// Hands one mail into and out of a closure.
    private final class Hands: Sendable {
        private let load: Mutex<Load?>
        init(_ load: Load) { self.load = Mutex(load) }
        func take() -> Load? { load.withLock { $0.take() } }
        func put(_ load: Load?) { self.load.withLock { $0 = load } }
    }
}
