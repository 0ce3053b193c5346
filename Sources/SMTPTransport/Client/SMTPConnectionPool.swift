package import Logging
package import NIOCore
package import SMTPProtocol
import Synchronization

/// The connections to one destination: a few, used again and again, lent in turn.
///
/// Decisions are ``SMTPPoolStateMachine``'s. Shut the pool down before its event loops.
package final class SMTPConnectionPool: Sendable {
    fileprivate typealias Machine = SMTPPoolStateMachine
    fileprivate typealias Waiting = CheckedContinuation<Result<Lease, SMTPConnectFailure>, Never>

    fileprivate struct Lease: Sendable {
        let id: Machine.ConnectionID
        let connection: SMTPConnection
    }

    fileprivate struct State {
        var machine: Machine
        var configuration: SMTPClientConfiguration
        var targets: SMTPTargetOrder
        var habits = SMTPHostHabits()
        var connections: [Machine.ConnectionID: SMTPConnection] = [:]
        var connecting: [Machine.ConnectionID: Task<Void, Never>] = [:]
        var waiting: [Machine.WaiterID: (continuation: Waiting, attempt: SMTPAttempt)] = [:]
        var draining: [CheckedContinuation<Void, Never>] = []
        /// Those who wait for closed connections to be gone.
        var closing: [CheckedContinuation<Void, Never>] = []
        var nextWaiter = 1
        var isTimerSet = false
    }

    /// What is done after the lock is left.
    private enum Effect {
        case resume(Waiting, Result<Lease, SMTPConnectFailure>)
        case quit(SMTPConnection)
        case setTimer(NIODeadline)
        case finishDraining(CheckedContinuation<Void, Never>)
    }

    private let group: any EventLoopGroup
    private let timerLoop: any EventLoop
    private let logger: Logger
    private let now: @Sendable () -> NIODeadline
    private let state: Mutex<State>

    /// - Parameters:
    ///   - targets: at least one.
    ///   - now: the clock, for back-off and idling.
    package init(
        targets: [SMTPTarget], configuration: SMTPClientConfiguration, limits: PoolLimits,
        group: any EventLoopGroup, logger: Logger, now: @escaping @Sendable () -> NIODeadline = { .now() }
    ) {
        precondition(!targets.isEmpty, "a pool needs a target")
        self.group = group
        self.logger = logger
        self.now = now
        timerLoop = group.next()
        state = Mutex(
            State(
                machine: Machine(limits: limits), configuration: configuration,
                targets: SMTPTargetOrder(targets, backoff: limits.failureBackoff)))
    }

    /// Connections that exist, those being opened and closed included.
    package var connectionCount: Int { state.withLock { $0.machine.connectionCount } }
    package var waiterCount: Int { state.withLock { $0.machine.waiterCount } }

    /// Connections and waiting mails follow the new limits; those in use end their delivery first.
    package func setLimits(_ limits: PoolLimits) {
        update { $0.machine.setLimits(limits, at: now()) }
    }

    /// The destination has these addresses from now on. New connections lead there; those that exist go on, wherever they
    /// lead. What is known of hosts that stay is kept.
    package func setTargets(_ targets: [SMTPTarget]) {
        precondition(!targets.isEmpty, "a pool needs a target")
        update { state in
            let known = Set(state.targets.targets.map(\.endpoint))
            state.targets.setTargets(targets)
            // Where nobody could be reached, somebody new may.
            return known.isSuperset(of: targets.map(\.endpoint)) ? [] : state.machine.forgetFailure(at: now())
        }
    }

    /// Connects to these targets and in this way from now on. Deliveries under way end over the connections they have,
    /// which are closed then; connections that are being opened are given up.
    package func reconnect(to targets: [SMTPTarget], _ configuration: SMTPClientConfiguration, _ limits: PoolLimits) {
        precondition(!targets.isEmpty, "a pool needs a target")
        update { state in
            state.configuration = configuration
            state.targets = SMTPTargetOrder(targets, backoff: limits.failureBackoff)
            state.habits = SMTPHostHabits()
            for task in state.connecting.values { task.cancel() }
            return state.machine.outdateConnections(at: now())
        }
    }

    /// Lends a connection to `body`, for one delivery or several; waits for a free one in turn.
    ///
    /// Throws if none of the targets can be connected to, or could not a moment ago; if the task is cancelled while
    /// waiting; if the pool is shut down.
    ///
    /// - Parameter attempt: of the mail that needs the connection; it leads to none of the hosts that the attempt has
    ///   tried. Nil for a mail that was not tried yet. See ``SMTPAttempt`` for the whole loop.
    package func withConnection<R>(
        for attempt: SMTPAttempt? = nil, _ body: (SMTPConnection) async -> R
    ) async throws(SMTPConnectFailure) -> R {
        let lease = try await acquire(attempt ?? beginAttempt()).get()
        let result = await body(lease.connection)
        release(lease)
        return result
    }

    /// Starts an attempt at a mail: within the bounds of the configuration, from now on.
    package func beginAttempt() -> SMTPAttempt {
        SMTPAttempt(limits: state.withLock(\.configuration.attempt), at: now())
    }

    /// What an attempt does after a host's answer: it ends, or goes on to a host that is left and not known to be ill.
    package func next(
        _ attempt: inout SMTPAttempt, after report: DeliveryReport, by connection: SMTPConnection
    ) -> SMTPAttempt.Step {
        let time = now()
        return attempt.next(
            after: report, by: connection.target,
            hasAnotherHost: { attempt in
                state.withLock { $0.targets.holdsAnother(avoiding: attempt.avoidance, at: time) }
            }, at: time)
    }

    /// Delivers one message over any connection, and goes from host to host as ``SMTPAttempt`` says. Throws only if no
    /// connection came about at all.
    package func deliver(
        _ envelope: SMTPEnvelope, _ message: OutgoingMessage
    ) async throws(SMTPConnectFailure) -> DeliveryReport {
        var attempt = beginAttempt()
        while true {
            do throws(SMTPConnectFailure) {
                let step = try await withConnection(for: attempt) { connection in
                    let report = await connection.deliver(envelope, message)
                    return next(&attempt, after: report, by: connection)
                }
                if case .end(let report) = step { return report }
            } catch {
                guard attempt.answer != nil, case .end(let report) = attempt.next(after: error) else { throw error }
                return report
            }
        }
    }

    /// Tries again at once, although a connection failed a moment ago: somebody says that the trouble is over.
    package func forgetFailure() {
        update { state in
            state.targets.forgetFailures()
            return state.machine.forgetFailure(at: now())
        }
    }

    /// Closes what nobody uses, and returns when no connection is being closed any more.
    package func closeIdle() async {
        await withCheckedContinuation { continuation in
            update { state in
                state.closing.append(continuation)
                return state.machine.closeIdle()
            }
        }
    }

    /// Returns when no connection is being closed.
    package func closed() async {
        await withCheckedContinuation { continuation in
            update { state in
                state.closing.append(continuation)
                return []
            }
        }
    }

    /// Fails all who wait, and returns when every connection is closed: those in use once they are given back.
    package func shutdown() async {
        await withCheckedContinuation { continuation in
            update { state in
                state.draining.append(continuation)
                for task in state.connecting.values { task.cancel() }
                return state.machine.shutDown()
            }
        }
    }

    // MARK: Lending

    private func acquire(_ attempt: SMTPAttempt) async -> Result<Lease, SMTPConnectFailure> {
        let waiter = state.withLock { state in
            defer { state.nextWaiter += 1 }
            return Machine.WaiterID(state.nextWaiter)
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Waiting) in
                let isCancelled = update { state in
                    // Looked at under the lock: a later cancellation finds the waiter in the queue.
                    guard !Task.isCancelled else { return nil }
                    state.waiting[waiter] = (continuation, attempt)
                    return state.machine.acquire(waiter, avoiding: attempt.tried, at: now())
                }
                if isCancelled { continuation.resume(returning: .failure(SMTPConnectFailure(.cancelled))) }
            }
        } onCancel: {
            update { $0.machine.cancel(waiter) }
        }
    }

    private func release(_ lease: Lease) {
        let lessons = lease.connection.takeLessons()
        let target = lease.connection.target
        update { state in
            let now = now()
            state.learn(lessons, about: target, at: now)
            // A host that is ill takes no further mail over what is open, if another is well.
            let isOutdone = state.targets.isOutdone(target, at: now)
            let actions = isOutdone ? state.machine.leave(target.endpoint, at: now) : []
            return actions
                + state.machine.released(
                    lease.id, isUsable: lease.connection.isUsable && !isOutdone,
                    deliveries: lease.connection.deliveredCount, at: now)
        }
    }

    // MARK: Connecting

    private func connect(_ id: Machine.ConnectionID, _ attempt: SMTPAttempt) async {
        let result = await connectToAnyTarget(attempt)
        update { state in
            state.connecting[id] = nil
            switch result {
            case .success(let connection):
                state.connections[id] = connection
                return state.machine.connected(id, to: connection.target.endpoint, at: now())
            case .failure(let failure):
                return state.machine.connectFailed(id, failure, at: now())
            }
        }
        if case .success(let connection) = result {
            connection.onClose { [weak self] in self?.closed(id) }
        }
    }

    /// What one connection is made with.
    private struct Dial: Sendable {
        let target: SMTPTarget
        let tls: SMTPConnection.TLSAttempt
        let configuration: SMTPClientConfiguration
        let time: Duration
    }

    /// Tries hosts in their order, as many as the attempt has left and for as long. One whose TLS fails, where TLS is a
    /// bonus, is asked again without it once all others have been tried.
    private func connectToAnyTarget(_ attempt: SMTPAttempt) async -> Result<SMTPConnection, SMTPConnectFailure> {
        var avoiding = attempt.avoidance
        var tried: Set<SMTPEndpoint> = []
        var decisive: SMTPConnectFailure?
        var withoutTLS: SMTPTarget?
        func failed(_ failure: SMTPConnectFailure) {
            // The last speaks for all, but what one host cannot do for now is not given up because others never can.
            if failure.verdict == .temporary || decisive?.verdict != .temporary { decisive = failure }
        }
        while tried.count < attempt.addressesLeft, let dial = nextDial(attempt, avoiding, tried.count) {
            avoiding.endpoints.insert(dial.target.endpoint)
            tried.insert(dial.target.endpoint)
            do throws(SMTPConnectFailure) {
                return .success(try await connect(dial))
            } catch {
                failed(error)
                if Task.isCancelled { break }
                if error.report.cause == .tlsFailed,
                    SMTPConnection.allowsPlaintext(to: dial.target, dial.configuration)
                {
                    withoutTLS = withoutTLS ?? dial.target
                }
            }
        }
        if let withoutTLS, !Task.isCancelled, let dial = plaintextDial(to: withoutTLS, attempt) {
            do throws(SMTPConnectFailure) {
                return .success(try await connect(dial))
            } catch {
                failed(error)
            }
        }
        var failure = decisive ?? SMTPConnectFailure(.unreachable)
        failure.tried = tried
        return .failure(failure)
    }

    /// The next address and half of the time that is left, or all of it for the last.
    private func nextDial(
        _ attempt: SMTPAttempt, _ avoiding: SMTPTargetOrder.Avoidance, _ triedCount: Int
    ) -> Dial? {
        let now = now()
        guard now < attempt.until else { return nil }
        var generator = SystemRandomNumberGenerator()
        return state.withLock { state in
            guard let target = state.targets.next(avoiding: avoiding, at: now, using: &generator) else { return nil }
            var others = avoiding
            others.endpoints.insert(target.endpoint)
            let isLast =
                triedCount + 1 >= attempt.addressesLeft || !state.targets.holdsAnother(avoiding: others, at: now)
            let left = Duration.nanoseconds((attempt.until - now).nanoseconds)
            var configuration = state.configuration
            configuration.withoutExtensions.formUnion(state.habits.without(target.endpoint, at: now))
            configuration.announces = !state.habits.hasBrokenAnnouncements(target.endpoint, at: now)
            let isWithoutTLS =
                state.habits.hasBrokenTLS(target.endpoint, at: now)
                && SMTPConnection.allowsPlaintext(to: target, configuration)
            return Dial(
                target: target, tls: isWithoutTLS ? .noneForNow : .asPolicySays, configuration: configuration,
                time: isLast ? left : left / 2)
        }
    }

    private func plaintextDial(to target: SMTPTarget, _ attempt: SMTPAttempt) -> Dial? {
        let now = now()
        guard now < attempt.until else { return nil }
        let configuration = state.withLock { state in
            state.targets.began(target)
            return state.configuration
        }
        return Dial(
            target: target, tls: .noneAnyMore, configuration: configuration,
            time: .nanoseconds((attempt.until - now).nanoseconds))
    }

    private func connect(_ dial: Dial) async throws(SMTPConnectFailure) -> SMTPConnection {
        let target = dial.target
        do throws(SMTPConnectFailure) {
            let connection = try await SMTPConnection.open(
                to: target, dial.tls, within: dial.time, configuration: dial.configuration, group: group)
            state.withLock { $0.targets.connected(target) }
            return connection
        } catch {
            state.withLock { $0.connectFailed(error, target, dial.configuration, at: now()) }
            logger.debug(
                "connection failed",
                metadata: [
                    "host": "\(target.host)", "phase": "\(error.phase.rawValue)", "reason": "\(error.reason)",
                    "reply": "\(error.reply?.description ?? "none")",
                ])
            throw error
        }
    }

    private func closed(_ id: Machine.ConnectionID) {
        update { state in
            if let connection = state.connections.removeValue(forKey: id) { state.targets.ended(connection.target) }
            return state.machine.closed(id, at: now())
        }
    }

    private func expire() {
        update { state in
            state.isTimerSet = false
            return state.machine.expire(at: now())
        }
    }

    // MARK: Carrying out

    /// Changes the state under the lock and carries out what follows after it.
    ///
    /// - Parameter change: returns nil to leave everything as it is.
    /// - Returns: whether `change` returned nil.
    @discardableResult
    private func update(_ change: (inout State) -> [Machine.Action]?) -> Bool {
        let effects: [Effect]? = state.withLock { state in
            guard let actions = change(&state) else { return nil }
            return actions.compactMap { effect(of: $0, &state) } + housekeeping(&state)
        }
        for effect in effects ?? [] { carryOut(effect) }
        return effects == nil
    }

    private func effect(of action: Machine.Action, _ state: inout State) -> Effect? {
        switch action {
        case .lend(let id, let waiter):
            guard let waiting = state.waiting.removeValue(forKey: waiter), let connection = state.connections[id]
            else { preconditionFailure("the pool lent what does not exist") }
            return .resume(waiting.continuation, .success(Lease(id: id, connection: connection)))
        case .fail(let waiter, let failure):
            return state.waiting.removeValue(forKey: waiter).map { .resume($0.continuation, .failure(failure)) }
        case .connect(let id):
            let attempt = SMTPAttempt(limits: state.configuration.attempt, at: now())
            state.connecting[id] = Task { await self.connect(id, attempt) }
            return nil
        case .connectElsewhere(let id, let waiter):
            guard let attempt = state.waiting[waiter]?.attempt else {
                preconditionFailure("the pool connects for nobody")
            }
            state.connecting[id] = Task { await self.connect(id, attempt) }
            return nil
        case .close(let id):
            guard let connection = state.connections[id] else { preconditionFailure("the pool closed it twice") }
            return .quit(connection)
        }
    }

    private func housekeeping(_ state: inout State) -> [Effect] {
        var effects: [Effect] = []
        if !state.isTimerSet, let expiry = state.machine.nextExpiry {
            state.isTimerSet = true
            effects.append(.setTimer(expiry))
        }
        if !state.closing.isEmpty, !state.machine.isClosing {
            effects += state.closing.map { .finishDraining($0) }
            state.closing.removeAll()
        }
        if state.machine.isDrained {
            effects += state.draining.map { .finishDraining($0) }
            state.draining.removeAll()
        }
        return effects
    }

    private func carryOut(_ effect: Effect) {
        switch effect {
        case .resume(let waiting, let result): waiting.resume(returning: result)
        case .quit(let connection): Task { await connection.quit() }
        case .setTimer(let expiry):
            timerLoop.scheduleTask(deadline: expiry) { [weak self] in self?.expire() }
        case .finishDraining(let continuation): continuation.resume()
        }
    }
}

extension SMTPConnectionPool.State {
    fileprivate mutating func connectFailed(
        _ failure: SMTPConnectFailure, _ target: SMTPTarget, _ configuration: SMTPClientConfiguration,
        at now: NIODeadline
    ) {
        targets.ended(target)
        guard failure.report.cause != .cancelled else { return }
        targets.failed(target, at: now)
        if failure.breaksTLS, SMTPConnection.allowsPlaintext(to: target, configuration) {
            habits.breaksTLS(target.endpoint, at: now)
        }
    }

    fileprivate mutating func learn(_ lessons: SMTPConnection.Lessons, about target: SMTPTarget, at now: NIODeadline) {
        if let keyword = lessons.suspectedExtension { habits.breaks(keyword, target.endpoint, at: now) }
        if lessons.suspectsAnnouncing { habits.breaksAnnouncements(target.endpoint, at: now) }
        if lessons.breaksTLS { habits.breaksTLS(target.endpoint, at: now) }
        switch lessons.standing {
        case .works: targets.worked(target)
        case .fails: targets.failed(target, inSession: true, at: now)
        case nil: break
        }
    }
}
