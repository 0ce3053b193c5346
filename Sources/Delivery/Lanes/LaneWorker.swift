import SMTPProtocol
import SMTPTransport
import Synchronization
import TrafficShaping

/// Carries a lane's mail over one connection at a time, until there is none that may go now.
struct LaneWorker: Sendable {
    let lane: Lane
    let environment: LaneEnvironment

    private var sender: any MailSender { environment.sender }

    /// A mail in the worker's hands. A reference, so that a worker that waits keeps a few octets of it and not many copies.
    private final class Load: Sendable {
        let mail: QueuedMail
        let rules: LaneRules
        /// The hosts that it was offered to; nil before the first answer.
        let attempt: SMTPAttempt?
        /// Nil where the mail is to be made ready yet.
        let ready: ReadyMail?

        init(mail: QueuedMail, rules: LaneRules, attempt: SMTPAttempt? = nil, ready: ReadyMail? = nil) {
            self.mail = mail
            self.rules = rules
            self.attempt = attempt
            self.ready = ready
        }

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
    private func takeNext() -> Load? {
        while let next = lane.next(retires: false) {
            if let ready = next.ready {
                next.mail.run.start(next.mail.position)
                return Load(mail: next.mail, rules: next.rules, ready: ready)
            }
            if !endIfOver(next.mail) { return Load(mail: next.mail, rules: next.rules) }
        }
        return nil
    }

    // MARK: Sending

    /// Sends `first` and then what waits, as long as the connection is good.
    private func carry(_ first: Load) async {
        let hands = Hands(first)
        let announcement = Announcement(lane)
        let (pool, generation) = lane.connections()
        do throws(SMTPConnectFailure) {
            try await pool.withConnection(for: first.attempt) { connection in
                lane.update { $0.connected(generation, at: $1) }
                var isQuick = false
                while let load = hands.take() {
                    let isLast = connection.deliveredCount + 1 >= load.rules.limits.messagesPerConnection
                    announcement.isWanted = isQuick && !isLast
                    if announcement.isWanted { lane.prepareNext() }
                    let begun = environment.clock.steady()
                    let isSent = await send(load, over: connection, of: pool, generation, hands, announcement)
                    isQuick = environment.clock.steady() - begun < Self.quickSeconds
                    // What goes back to the pool worn, or made in an older way, is closed there.
                    guard isSent, connection.isUsable, lane.isCurrent(generation),
                        connection.deliveredCount < load.rules.limits.messagesPerConnection
                    else { return announcement.takeBack(from: connection) }
                    hands.put(next(after: announcement, over: connection))
                }
            }
        } catch {
            if let load = hands.take() { failed(load, error, generation) }
        }
        guard let load = hands.take() else { return }
        if load.rules.providerGate != nil { await pool.closeIdle() }
        await carry(load)
    }

    /// Mails that take longer wait little for their commits by comparison, and others would not stay ready behind them.
    private static let quickSeconds = 0.05

    /// What the connection carries next: what was announced over it, or what it may carry as well.
    private func next(after announcement: Announcement, over connection: SMTPConnection) -> Load? {
        guard let announced = announcement.take() else { return takeNext() }
        guard let next = lane.takeUp(announced) else {
            // The server waits for its content, and there is no other way to tell it that none comes.
            connection.close()
            return nil
        }
        next.mail.run.start(next.mail.position)
        return Load(mail: next.mail, rules: next.rules, ready: announced)
    }

    /// - Returns: false where another connection should carry the mail, which is in the hands again.
    private func send(
        _ load: Load, over connection: SMTPConnection, of pool: SMTPConnectionPool, _ generation: Int, _ hands: Hands,
        _ announcement: Announcement
    ) async -> Bool {
        var mail = load.mail
        lane.tlsResults?.count(mail, over: connection)
        var attempt = load.attempt ?? pool.beginAttempt()
        let sessions = attempt.sessions
        guard let ready = await ready(load) else {
            lane.answered(.unused)
            return true
        }
        let answer = await sender.send(
            ready, over: connection, provider: load.rules.provider, isSmarthost: lane.id.isSmarthost,
            next: { announcement.next() }
        ) { pool.next(&attempt, after: $0, by: connection) }
        switch answer {
        case .connectionWasClosed:
            if attempt.sessions == sessions { mail.wasRetried = true }
            hands.put(Load(mail: mail, rules: load.rules, attempt: attempt))
            return false
        case .notLoggedIn: loginRefused(mail, answer, generation)
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

    /// The mail that a server was told of together with the content of the one before it.
    private final class Announcement: Sendable {
        private struct State {
            var isWanted = false
            var mail: ReadyMail?
        }

        private let lane: Lane
        private let state = Mutex(State())

        init(_ lane: Lane) { self.lane = lane }

        /// Whether one more mail may follow over the connection soon.
        var isWanted: Bool {
            get { state.withLock(\.isWanted) }
            set { state.withLock { $0.isWanted = newValue } }
        }

        /// Asked on the event loop.
        func next() -> SMTPEnvelope? {
            guard isWanted, let mail = lane.announceNext() else { return nil }
            state.withLock { $0.mail = mail }
            return mail.envelope
        }

        func take() -> ReadyMail? { state.withLock { $0.mail.take() } }

        /// The connection carries it no more, nor anything else.
        func takeBack(from connection: SMTPConnection) {
            guard let mail = take() else { return }
            lane.putBack(mail)
            connection.close()
        }
    }
}
