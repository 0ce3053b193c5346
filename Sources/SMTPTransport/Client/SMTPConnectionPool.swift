package import Logging
package import NIOCore
package import SMTPProtocol
import Synchronization

/// The connections to one destination: a few, used again and again, lent in turn.
///
/// Decisions are ``SMTPPoolStateMachine``'s. Shut the pool down before its event loops.
package final class SMTPConnectionPool: Sendable {
    private typealias Machine = SMTPPoolStateMachine
    private typealias Waiting = CheckedContinuation<Result<Lease, SMTPConnectFailure>, Never>

    private struct Lease: Sendable {
        let id: Machine.ConnectionID
        let connection: SMTPConnection
    }

    private struct State {
        var machine: Machine
        var configuration: SMTPClientConfiguration
        var targets: SMTPTargetOrder
        var connections: [Machine.ConnectionID: SMTPConnection] = [:]
        var connecting: [Machine.ConnectionID: Task<Void, Never>] = [:]
        var waiting: [Machine.WaiterID: Waiting] = [:]
        var draining: [CheckedContinuation<Void, Never>] = []
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
    ///   - targets: in order of preference; at least one.
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

    /// New connections lead to these targets; those that are open, or being opened, are as good as before.
    package func setTargets(_ targets: [SMTPTarget]) {
        precondition(!targets.isEmpty, "a pool needs a target")
        update { state in
            state.targets.follow(targets)
            return state.machine.forgetFailure()
        }
    }

    /// Connects to these targets and in this way from now on. Deliveries under way end over the connections they have,
    /// which are closed then; connections that are being opened are given up.
    package func reconnect(to targets: [SMTPTarget], _ configuration: SMTPClientConfiguration, _ limits: PoolLimits) {
        precondition(!targets.isEmpty, "a pool needs a target")
        update { state in
            state.configuration = configuration
            state.targets = SMTPTargetOrder(targets, backoff: limits.failureBackoff)
            for task in state.connecting.values { task.cancel() }
            return state.machine.outdateConnections(at: now())
        }
    }

    /// Lends a connection to `body`, for one delivery or several; waits for a free one in turn.
    ///
    /// Throws if none of the targets can be connected to, or could not a moment ago; if the task is cancelled while
    /// waiting; if the pool is shut down.
    package func withConnection<R>(
        _ body: (SMTPConnection) async -> R
    ) async throws(SMTPConnectFailure) -> R {
        let lease = try await acquire().get()
        let result = await body(lease.connection)
        release(lease)
        return result
    }

    /// Delivers one message on any connection. Where the server had closed an idle connection just before, another is
    /// tried; that is safe, because nothing of the message was sent.
    package func deliver(
        _ envelope: SMTPEnvelope, _ message: OutgoingMessage
    ) async throws(SMTPConnectFailure) -> DeliveryReport {
        var report = try await withConnection { await $0.deliver(envelope, message) }
        for _ in 0..<Self.staleRetries where report.mayRetryAtOnce {
            report = try await withConnection { await $0.deliver(envelope, message) }
        }
        return report
    }

    /// Tries again at once, although a connection failed a moment ago: somebody says that the trouble is over.
    package func forgetFailure() {
        update { $0.machine.forgetFailure() }
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

    private static let staleRetries = 3

    // MARK: Lending

    private func acquire() async -> Result<Lease, SMTPConnectFailure> {
        let waiter = state.withLock { state in
            defer { state.nextWaiter += 1 }
            return Machine.WaiterID(state.nextWaiter)
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Waiting) in
                let isCancelled = update { state in
                    // Looked at under the lock: a later cancellation finds the waiter in the queue.
                    guard !Task.isCancelled else { return nil }
                    state.waiting[waiter] = continuation
                    return state.machine.acquire(waiter, at: now())
                }
                if isCancelled { continuation.resume(returning: .failure(SMTPConnectFailure(.cancelled))) }
            }
        } onCancel: {
            update { $0.machine.cancel(waiter) }
        }
    }

    private func release(_ lease: Lease) {
        update { state in
            state.machine.released(
                lease.id, isUsable: lease.connection.isUsable, deliveries: lease.connection.deliveredCount, at: now())
        }
    }

    // MARK: Connecting

    private func connect(_ id: Machine.ConnectionID) async {
        let result = await connectToAnyTarget()
        update { state in
            state.connecting[id] = nil
            switch result {
            case .success(let connection):
                state.connections[id] = connection
                return state.machine.connected(id, at: now())
            case .failure(let failure):
                return state.machine.connectFailed(id, failure, at: now())
            }
        }
        if case .success(let connection) = result {
            connection.onClose { [weak self] in self?.closed(id) }
        }
    }

    private func connectToAnyTarget() async -> Result<SMTPConnection, SMTPConnectFailure> {
        var decisive: SMTPConnectFailure?
        let (targets, configuration) = state.withLock { ($0.targets.order(at: now()), $0.configuration) }
        for target in targets {
            do {
                let connection = try await SMTPConnection.connect(
                    to: target, configuration: configuration, group: group, logger: logger)
                state.withLock { $0.targets.connected(target) }
                return .success(connection)
            } catch {
                // The last speaks for all, but what one host cannot do for now is not given up because others never can.
                if error.verdict == .temporary || decisive?.verdict != .temporary { decisive = error }
                if Task.isCancelled { break }
                state.withLock { $0.targets.failed(target, at: now()) }
                logger.debug(
                    "connection failed",
                    metadata: [
                        "host": "\(target.host)", "phase": "\(error.phase.rawValue)", "reason": "\(error.reason)",
                        "reply": "\(error.reply?.description ?? "none")",
                    ])
            }
        }
        return .failure(decisive ?? SMTPConnectFailure(.unreachable))
    }

    private func closed(_ id: Machine.ConnectionID) {
        update { state in
            state.connections[id] = nil
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
            return .resume(waiting, .success(Lease(id: id, connection: connection)))
        case .fail(let waiter, let failure):
            return state.waiting.removeValue(forKey: waiter).map { .resume($0, .failure(failure)) }
        case .connect(let id):
            state.connecting[id] = Task { await self.connect(id) }
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
