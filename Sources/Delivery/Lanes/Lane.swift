import Logging
import MailTypes
import NIOCore
import SMTPProtocol
import SMTPTransport
import Synchronization
import TLSPolicies
import TrafficShaping

/// One site reached from one source address: its waiting mails and the workers that carry them over its connections.
///
/// Decisions are ``LaneMachine``'s: each event changes it under the lock, and what follows is done after the lock is left
/// (``update(_:)``). Workers come with the queue and go with it. In a busy lane a few mails are ready before a connection is
/// free for them (``prepareNext()``), so that no connection waits for the commit of an intent.
final class Lane: Sendable {
    let id: LaneID

    struct State {
        var machine: LaneMachine<QueuedMail>
        var rules: LaneRules
        var way: ConnectionWay
        /// Made for the first worker, so that a lane without mail is small.
        var pool: SMTPConnectionPool?
        var ready = ReadyMails()

        /// What a free connection carries next, where it is ready. Stale ones are taken out first (``takeStale(at:)``).
        mutating func takeReady(at now: SteadySeconds) -> ReadyMail? {
            guard ready.first != nil, machine.workerMayCarryReady(at: now) else { return nil }
            return ready.removeFirst()
        }

        /// What is ready and may not stay so: to be put back. All of it where the lane does not go by its connections alone, but
        /// for what servers were told of: that goes back where nothing may be sent.
        mutating func takeStale(at now: SteadySeconds) -> [ReadyMail] {
            guard ready.count > 0 else { return [] }
            let (mayKeep, mayKeepAnnounced) = (machine.mayKeepReady(at: now), machine.mayKeepAnnounced)
            return ready.removeFirst { !mayKeep || !$0.isFresh(at: now) }
                + ready.removeFirstAnnounced { !mayKeepAnnounced || !$0.isFresh(at: now) }
        }
    }

    /// Tests look at what is ready.
    let state: Mutex<State>
    private let environment: LaneEnvironment
    /// Whether other nodes press the site as well, within the same limits.
    private let isShared: Bool
    let elsewhere: Elsewhere?
    /// Nil where receivers are told nothing of their TLS.
    let tlsResults: LaneTLSResults?

    /// - Parameter order: of the operator, that stands for lanes of this name.
    init(
        _ id: LaneID, rules: LaneRules, way: ConnectionWay, order: LaneOrder? = nil, isShared: Bool = false,
        elsewhere: Elsewhere? = nil, tlsResults: LaneTLSResults? = nil, in environment: LaneEnvironment
    ) {
        self.id = id
        self.environment = environment
        self.isShared = isShared
        self.elsewhere = elsewhere
        self.tlsResults = tlsResults
        let machine = LaneMachine<QueuedMail>(
            limits: rules.limits, policy: environment.policy, gates: rules.gates, needsLogin: way.needsLogin,
            order: order)
        state = Mutex(State(machine: machine, rules: rules, way: way))
    }

    deinit {
        let isEmpty = state.withLock { $0.machine.queuedCount == 0 && $0.ready.count == 0 }
        precondition(isEmpty, "a lane went with mail in it, of which nobody would hear again")
    }

    // MARK: Changing and carrying out

    /// Changes the machine under the lock and carries out what follows after it.
    func update(
        _ change: (inout LaneMachine<QueuedMail>, _ now: SteadySeconds) -> LaneActions<QueuedMail>
    ) {
        let now = environment.clock.steady()
        let nodes = isShared ? environment.fleet.nodes : 1
        let (actions, gates) = state.withLock { state in
            state.machine.nodes = nodes
            return (change(&state.machine, now), state.rules.gates)
        }
        for gate in gates { gate.carryOut() }
        carryOut(actions, at: now)
    }

    private func carryOut(_ actions: LaneActions<QueuedMail>, at now: SteadySeconds) {
        if let time = actions.wakeAt { wake(at: time, now) }
        if actions.startWorkers > 0 { start(actions.startWorkers) }
        for mail in actions.end { environment.sender.giveUp(mail) }
        giveBack(actions.giveBack)
        handOver(actions.handOver)
        if let problem = actions.loginProblem { report(problem) }
        if actions.tickNow { tick() }
    }

    private func wake(at time: SteadySeconds, _ now: SteadySeconds) {
        let delay = TimeAmount.microseconds(Int64(min(max(time - now, 0.001), Self.longestSleep) * 1e6))
        environment.group.next().scheduleTask(in: delay) { [weak self] in
            self?.update { $0.woke(at: $1) }
        }
    }

    private static let longestSleep = 86_400.0

    private func giveBack(_ mails: [GivenBackMail<QueuedMail>]) {
        for back in mails {
            environment.sender.requeue(back.mail, inSeconds: back.inSeconds, awaitsResume: back.awaitsResume)
        }
    }

    private func handOver(_ mails: [QueuedMail]) {
        guard !mails.isEmpty, let elsewhere else { return }
        let left = elsewhere.handOver(mails)
        guard !left.isEmpty else { return }
        let opensAt = elsewhere.opensAt(environment.clock.steady())
        update { $0.declined(left, opensElsewhere: opensAt, at: $1) }
    }

    private func report(_ loginProblem: String) {
        environment.logger.error(
            "login at the smarthost failed: its mail waits or goes by others",
            metadata: ["lane": "\(id)", "problem": "\(loginProblem)"])
    }

    // MARK: Queue

    /// Mails of one account come.
    func enqueue(_ mails: [QueuedMail], of account: AccountID) {
        let terms = environment.fleet.terms(of: account)
        update { $0.enqueued(mails, of: account, on: terms, mayHandOver: elsewhere != nil, at: $1) }
    }

    /// Hands over or sends back what waits in vain. Called a few times a second.
    func tick() {
        putBackStale()
        let now = environment.clock.steady()
        let (isEmpty, wantsToHandOver) = state.withLock { state in
            (state.machine.queuedCount == 0, elsewhere != nil && state.machine.wantsToHandOver(at: now))
        }
        guard !isEmpty else { return }
        let opensAt = wantsToHandOver ? elsewhere?.opensAt(now) : nil
        update {
            $0.tick(mayHandOver: opensAt.map { $0 <= now } ?? false, opensElsewhere: opensAt, at: $1) {
                $0.run.mayStart(at: now)
            }
        }
    }

    // MARK: Workers

    /// Each takes a connection of the provider's first, where those are shared.
    private func start(_ count: Int) {
        let (gate, others, queued) = state.withLock {
            ($0.rules.providerGate, $0.machine.workerCount - count, $0.machine.queuedCount)
        }
        for started in 0..<count {
            guard gate?.takeConnection(for: self) ?? true else {
                return state.withLock { $0.machine.workersAwaitConnection(count - started) }
            }
            begin(gate, others: others + started, queued: queued)
        }
    }

    /// Without a connection to be had the mail stays in the queue, for the workers that have one.
    private func begin(_ gate: (any LaneGate)?, others: Int, queued: Int) {
        guard environment.budget.take(others: others, forQueued: queued) else { return beginNone(gate) }
        let begins = environment.workers.start {
            await LaneWorker(lane: self, environment: self.environment).run()
            self.environment.budget.giveBack()
            guard let gate else { return }
            // Nothing stays open that the provider's other lanes may not count with.
            await self.state.withLock(\.pool)?.closeIdle()
            gate.giveBackConnection()
        }
        guard !begins else { return }
        environment.budget.giveBack()
        beginNone(gate)
    }

    private func beginNone(_ gate: (any LaneGate)?) {
        gate?.giveBackConnection()
        update { $0.workerFoundNoConnection(at: $1) }
    }

    /// A mail that may go now, with the rules that it goes by.
    typealias Next = (mail: QueuedMail, ready: ReadyMail?, rules: LaneRules)

    /// The next mail that may go now.
    ///
    /// - Parameter retires: the worker ends where there is none; see ``LaneMachine/workerAsks(retires:at:)``. It has no
    ///   connection, so that nothing that is ready is given to it: to connect may take long.
    func next(retires: Bool) -> Next? {
        let now = environment.clock.steady()
        let nodes = isShared ? environment.fleet.nodes : 1
        let (ready, turn, stale, rules) = state.withLock { state in
            state.machine.nodes = nodes
            var stale = state.takeStale(at: now)
            let ready = retires ? nil : state.takeReady(at: now)
            let turn = ready.map { .mail($0.mail) } ?? state.machine.workerAsks(retires: retires, at: now)
            // The last worker may have retired.
            if case .retire = turn { stale += state.takeStale(at: now) }
            return (ready, turn, stale, state.rules)
        }
        for gate in rules.gates { gate.carryOut() }
        if ready != nil { environment.ahead.end() }
        putBack(stale)
        switch turn {
        case .mail(let mail): return (mail, ready, rules)
        case .retire(let wakeAt):
            if let wakeAt { wake(at: wakeAt, now) }
            return nil
        }
    }

    /// The connections to the site, and the generation of the way they are made in.
    func connections() -> (pool: SMTPConnectionPool, generation: Int) {
        state.withLock { state in
            let pool =
                state.pool
                ?? SMTPConnectionPool(
                    targets: state.way.targets, configuration: client(state.way),
                    limits: PoolLimits(state.rules.limits, environment.policy), group: environment.group,
                    logger: environment.logger)
            state.pool = pool
            return (pool, state.machine.connectionGeneration)
        }
    }

    private func client(_ way: ConnectionWay) -> SMTPClientConfiguration {
        var client = way.client
        if let tlsResults { client.onTLSOutcome = { tlsResults.ended($0) } }
        return client
    }

    func isCurrent(_ generation: Int) -> Bool {
        state.withLock { $0.machine.connectionGeneration == generation }
    }

    func answered(_ answer: LaneAnswer) { update { $0.answered(answer, at: $1) } }

    // MARK: Ready mails

    /// Begins to make the next mail ready, where nothing but its connections holds the lane up: one for each at most.
    func prepareNext() {
        guard let mail = takeAhead() else { return }
        let begins = environment.workers.start { self.prepared(await self.environment.sender.prepare(mail)) }
        guard !begins else { return }
        prepared(nil)
        update { $0.returned([mail], at: $1) }
    }

    /// The mail to make ready; ``prepared(_:)`` follows.
    func takeAhead() -> QueuedMail? {
        guard environment.ahead.begin() else { return nil }
        let now = environment.clock.steady()
        let mail = state.withLock { state -> QueuedMail? in
            guard state.ready.hasRoom(for: state.machine.workerCount, at: now) else { return nil }
            let mail = state.machine.takeAhead(at: now) { mail in
                mail.run.mayStart(at: now)
                    && mail.run.runtime.largestMail.load(ordering: .relaxed) <= MailsAhead.mostOctets
            }
            if mail != nil { state.ready.begin() }
            return mail
        }
        if mail == nil { environment.ahead.end() }
        return mail
    }

    /// - Parameter mail: nil where it came to another end.
    func prepared(_ mail: ReadyMail?) {
        let now = environment.clock.steady()
        let stale = state.withLock { state in
            state.ready.end(with: mail)
            return state.takeStale(at: now)
        }
        if mail == nil { environment.ahead.end() }
        putBack(stale)
    }

    /// A mail that is ready, for the worker whose connection can be told of it while the server still decides on the mail
    /// before; ``takeUp(_:)`` or ``putBack(_:)`` follows.
    func announceNext() -> ReadyMail? {
        let now = environment.clock.steady()
        return state.withLock { state in
            guard let next = state.ready.first, next.mayBeAnnounced(at: now), state.machine.mayKeepReady(at: now)
            else { return nil }
            return state.ready.announceFirst()
        }
    }

    /// The mail that was announced, for the worker that sends it now.
    ///
    /// - Returns: nil where it may not go as it is: it waits in the queue once more.
    func takeUp(_ mail: ReadyMail) -> Next? {
        let now = environment.clock.steady()
        let (isThere, mayGo, rules) = state.withLock { state in
            let isThere = state.ready.removeAnnounced(mail)
            let mayGo = isThere && mail.isFresh(at: now) && state.machine.workerMayCarryAnnounced(at: now)
            return (isThere, mayGo, state.rules)
        }
        guard mayGo else {
            if isThere { putBack([mail]) }
            return nil
        }
        environment.ahead.end()
        return (mail.mail, mail, rules)
    }

    /// The mail that was announced is not sent over that connection.
    func putBack(_ mail: ReadyMail) {
        if state.withLock({ $0.ready.removeAnnounced(mail) }) { putBack([mail]) }
    }

    /// So that nothing stays ready for longer than a moment, even if all connections hang. Called a few times a second, and
    /// whenever the lane may not keep it.
    private func putBackStale() {
        let now = environment.clock.steady()
        putBack(state.withLock { $0.takeStale(at: now) })
    }

    /// They wait in the queue once more.
    private func putBack(_ mails: [ReadyMail]) {
        guard !mails.isEmpty else { return }
        for mail in mails {
            // First, so that the next intent of this mail comes behind.
            environment.sender.withdraw(mail)
            environment.ahead.end()
        }
        update { $0.returned(mails.map(\.mail), at: $1) }
    }

    private func putBackAll() {
        putBack(state.withLock { $0.ready.removeFirst { _ in true } + $0.ready.removeFirstAnnounced { _ in true } })
    }

    // MARK: Rules

    var provider: Provider { state.withLock { $0.rules.provider } }

    /// Follows rules that were read anew.
    ///
    /// - Returns: whether they differ from those before.
    func follow(_ new: LaneRules) -> Bool {
        let (differs, rules, pool) = state.withLock { state in
            let old = state.rules
            state.rules = new.following(old)
            return (old.provider != new.provider || old.limits != new.limits, state.rules, state.pool)
        }
        guard differs else { return false }
        pool?.setLimits(PoolLimits(new.limits, environment.policy))
        update { $0.rulesChanged(rules.limits, gates: rules.gates, at: $1) }
        return true
    }

    /// New connections lead to these targets: the hosts are the same, and the DNS gives them other addresses. What is
    /// known of the site stays, a rest included, and so do good connections.
    func setTargets(_ targets: [SMTPTarget]) {
        let pool = state.withLock { state in
            state.way.targets = targets
            return state.pool
        }
        pool?.setTargets(targets)
    }

    /// Connects in this way from now on; mails under way end over the connections they have. A rest for want of a
    /// connection or a login gives way to a probe.
    func reconnect(_ way: ConnectionWay) {
        let (pool, limits) = state.withLock { state in
            state.way = way
            return (state.pool, state.rules.limits)
        }
        // First, so that no answer of an old connection passes for one of a new one.
        pool?.reconnect(to: way.targets, client(way), PoolLimits(limits, environment.policy))
        update { $0.reconnected(needsLogin: way.needsLogin, at: $1) }
    }

    // MARK: Operators

    /// Does as the operator has ordered; nil ends the order and leaves what the lane has brought on itself.
    ///
    /// - Returns: how many waiting mails were ended.
    func obey(_ order: LaneOrder?) -> Int {
        if order != nil { putBackAll() }
        var ended = 0
        update { machine, now in
            let actions = machine.ordered(order, at: now)
            ended = actions.end.count
            return actions
        }
        return ended
    }

    /// Ends rests that the lane has brought on itself.
    func resume() {
        state.withLock(\.pool)?.forgetFailure()
        update { $0.resumed(at: $1) }
    }

    /// Ends the wait of everything queued: it goes back to the store.
    func empty() {
        putBackAll()
        update { machine, _ in machine.emptied() }
    }

    func readiness(at now: SteadySeconds) -> LaneReadiness { state.withLock { $0.machine.readiness(at: now) } }

    /// When a rest ends, nil where there is none.
    func restsUntil(_ now: SteadySeconds) -> SteadySeconds? { state.withLock { $0.machine.restsUntil(now) } }

    /// Whether nothing is lost if the lane is closed after so many seconds without new mail.
    func mayBeForgotten(unusedFor seconds: Double, pause: Double) -> Bool {
        let now = environment.clock.steady()
        return state.withLock {
            $0.ready.count == 0 && $0.machine.mayBeForgotten(unusedFor: seconds, pause: pause, at: now)
        }
    }

    var snapshot: LaneSnapshot {
        let now = environment.clock.steady()
        return state.withLock { state in
            LaneSnapshot(
                id: id, state: state.machine.state(at: now).behind(state.rules.providerGate?.state(at: now)),
                at: now, queued: state.machine.queuedCount + state.ready.count,
                workers: state.machine.workerCount, connections: state.pool?.connectionCount ?? 0,
                perSecond: state.machine.perSecond(at: now), answered: state.machine.answeredCount,
                counts: state.machine.counts, order: state.machine.order)
        }
    }

    /// Whether its connections and its pace are those of its provider's other lanes as well.
    var sharesLimits: Bool { state.withLock { $0.rules.providerGate != nil } }

    /// Gives back what waits and what comes.
    func takeNoMore() {
        update { machine, _ in machine.closed() }
        putBackStale()
    }

    /// Takes and keeps no more mail, and closes all connections once they are given back.
    func close() async {
        takeNoMore()
        let (gate, isAtWork) = state.withLock { ($0.rules.providerGate, $0.machine.workerCount > 0) }
        gate?.stopWaiting(self)
        // A worker that comes for its first connection must find it closed.
        let pool: SMTPConnectionPool? = isAtWork ? connections().pool : state.withLock { $0.pool }
        await pool?.shutdown()
    }
}

extension Lane: LaneGateUser {
    func connectionGranted() {
        let gate = state.withLock(\.rules.providerGate)
        let now = environment.clock.steady()
        let (actions, workers, queued) = state.withLock {
            ($0.machine.connectionGranted(at: now), $0.machine.workerCount, $0.machine.queuedCount)
        }
        if actions.startWorkers == 1 {
            begin(gate, others: workers - 1, queued: queued)
        } else {
            gate?.giveBackConnection()
        }
        if let time = actions.wakeAt { wake(at: time, now) }
    }
}
