package import Logging
import Synchronization

/// A bounded set of connections to one database, opened when first needed.
///
/// A task that finds all in use waits its turn, first come, first served, at most `acquireTimeout`. Where the pool gives
/// shares, a task that works for an owner (``ConnectionOwner``) also waits while that owner has all of its share, and the
/// others pass it. A connection that was lost is replaced; while the server is away, opening is tried again with growing, jittered pauses until the
/// time-out ends.
package final class PostgresPool: Sendable {
    private struct State {
        var pool: PoolState<PostgresConnection>
        var continuations: [UInt64: CheckedContinuation<Grant, Never>] = [:]
        /// What came for waiters that are queued and not yet suspended.
        var earlyGrants: [UInt64: Grant] = [:]
        var nextNumber: UInt64 = 0
        var listeners: [UInt64: PostgresListener] = [:]
        /// Of those who wait, or have waited: in order, since all wait equally long.
        var deadlines: [WaitDeadline] = []
        var areDeadlinesWatched = false

        /// Suspends a waiter.
        ///
        /// - Returns: whether somebody must begin to watch the deadlines.
        mutating func suspend(
            _ waiter: UInt64, _ continuation: CheckedContinuation<Grant, Never>, until deadline: WaitDeadline
        ) -> Bool {
            continuations[waiter] = continuation
            // Most have been served long before; forgetting them now and then costs each of them next to nothing.
            if deadlines.count > 2 * continuations.count + 64 {
                deadlines.removeAll { continuations[$0.waiter] == nil }
            }
            deadlines.append(deadline)
            defer { areDeadlinesWatched = true }
            return !areDeadlinesWatched
        }

        /// When the next of those who still wait has waited for too long; nil where nobody waits, and nobody watches then.
        mutating func nextDeadline() -> ContinuousClock.Instant? {
            deadlines.removeAll { continuations[$0.waiter] == nil }
            areDeadlinesWatched = !deadlines.isEmpty
            return deadlines.first?.instant
        }

        /// The continuation of a waiter, to be resumed with the grant outside the lock; if the waiter is not yet
        /// suspended, the grant is kept for it.
        mutating func takeContinuation(_ waiter: UInt64, _ grant: Grant) -> CheckedContinuation<Grant, Never>? {
            if let continuation = continuations.removeValue(forKey: waiter) { return continuation }
            earlyGrants[waiter] = grant
            return nil
        }
    }

    /// Until when a waiter waits.
    private struct WaitDeadline {
        let waiter: UInt64
        let owner: ConnectionOwner?
        let instant: ContinuousClock.Instant
    }

    /// What a waiter is woken with.
    private enum Grant: Sendable {
        case connection(PostgresConnection)
        case slot
        case failure(PostgresError)
    }

    package let configuration: PostgresConfiguration
    private let logger: Logger
    private let state: Mutex<State>
    let together: Mutex<StatementQueue<Together>>

    /// Opens nothing yet.
    package init(configuration: PostgresConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        state = Mutex(
            State(pool: PoolState(maximum: configuration.maximumConnections, share: configuration.share)))
        together = Mutex(StatementQueue(most: Self.mostTogether, bound: configuration.share?.waiting ?? .max))
    }

    deinit {
        let listeners = state.withLock { state in Array(state.listeners.values) }
        for listener in listeners { listener.stop() }
    }

    // MARK: Use

    /// Lends a connection to a closure. A transaction that the closure leaves open is rolled back.
    ///
    /// Unless it belongs to an actor with an executor of its own, the closure runs on the connection's thread, where
    /// statements cost least. Keep long computations out of it: they hold up nobody else, but keep the connection.
    /// - Throws: what the closure throws, or ``PostgresError``: `.poolTimeout`, `.shareExhausted`,
    ///   `.connectionFailed`, `.cancelled`, `.closed`.
    package func withConnection<Value: Sendable>(
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        let owner = ConnectionOwner.current
        let connection = try await acquire(for: owner)
        confine(connection, to: owner)
        do {
            let value = try await withTaskExecutorPreference(connection.executor) {
                try await body(connection)
            }
            await release(connection, of: owner)
            return value
        } catch {
            await release(connection, of: owner)
            throw error
        }
    }

    /// Runs a closure in a transaction (READ COMMITTED, unless its first statement is
    /// `SET TRANSACTION ISOLATION LEVEL …`): commits when it returns; rolls back when it throws or the
    /// task is cancelled.
    ///
    /// After a deadlock (40P01) or a serialization failure (40001) the closure is run again, at most
    /// `maximumTransactionTries` times, with jittered pauses: it must have no effects outside the database.
    /// - Throws: what the closure throws, or ``PostgresError``. Kind `.commitUnknown` says that the answer to COMMIT
    ///   was lost; nothing is run again then: look up by an idempotency key whether the transaction took place.
    package func withTransaction<Value: Sendable>(
        _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        var attempt = 0
        while true {
            var hasBegun = false
            do {
                return try await withConnection { connection in
                    try await connection.withTransaction { connection in
                        hasBegun = true
                        return try await body(connection)
                    }
                }
            } catch let error as PostgresError
                where error.isRetryable || (error.kind == .connectionLost && !hasBegun)
            {
                // A connection that was lost at BEGIN, because its server had just gone away, has done nothing yet.
                attempt += 1
                guard attempt < configuration.maximumTransactionTries, !Task.isCancelled else { throw error }
                logger.debug(
                    "transaction tried again",
                    metadata: ["sqlstate": "\(error.sqlState?.rawValue ?? "")", "attempt": "\(attempt)"])
                try await Self.pause(RetryBackoff.transaction.delay(attempt: attempt - 1))
            }
        }
    }

    /// Runs one statement on some connection.
    @discardableResult
    package func query(_ sql: SQL) async throws -> PostgresRows {
        let owner = ConnectionOwner.current
        let connection = try await acquire(for: owner)
        confine(connection, to: owner)
        do {
            let rows = try await connection.query(sql)
            await release(connection, of: owner)
            return rows
        } catch {
            await release(connection, of: owner)
            throw error
        }
    }

    /// Opens what the pool may still open, one after the other, so that nobody waits for it later.
    ///
    /// - Throws: ``PostgresError``, as ``withConnection(_:)``; what has been opened stays.
    package func fill() async throws {
        while state.withLock({ $0.pool.takeSlot() }) {
            let connection = try await open(nil, ContinuousClock.now + configuration.acquireTimeout)
            handOver { $0.release(connection) }
        }
    }

    /// Listens to channels on a connection of its own, outside the pool's bound, until the stream is dropped, its task
    /// cancelled, or the pool closed. See ``PostgresNotification``.
    package func listen(_ channels: String...) -> AsyncStream<PostgresNotification> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: PostgresNotification.self, bufferingPolicy: .bufferingNewest(PostgresListener.maximumBuffered))
        let listener = PostgresListener(
            channels: channels, configuration: configuration, continuation: continuation, logger: logger)
        let number = state.withLock { state -> UInt64? in
            if state.pool.isClosed { return nil }
            state.nextNumber += 1
            state.listeners[state.nextNumber] = listener
            return state.nextNumber
        }
        guard let number else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self, weak listener] _ in
            listener?.stop()
            self?.state.withLock { state in _ = state.listeners.removeValue(forKey: number) }
        }
        listener.start()
        return stream
    }

    /// Refuses new work, ends listeners and idle connections, fails those who wait, and waits (at most 30 seconds)
    /// for lent connections to come back.
    package func close() async {
        let (idle, waiters, listeners) = state.withLock { state in
            let (idle, waiting) = state.pool.close()
            let waiters = waiting.compactMap { state.takeContinuation($0, .failure(Self.closed)) }
            let listeners = Array(state.listeners.values)
            state.listeners = [:]
            return (idle, waiters, listeners)
        }
        for listener in listeners { listener.stop() }
        for waiter in waiters { waiter.resume(returning: .failure(Self.closed)) }
        for connection in idle { await connection.close() }
        for _ in 0..<3000 where state.withLock({ $0.pool.taken > 0 }) {
            // Shutting down must go on in a cancelled task too, where a sleep returns at once.
            await Task { try? await Task.sleep(for: .milliseconds(10)) }.value
        }
    }

    /// Numbers of connections: lent or idle, idle, and tasks that wait.
    package var usage: (open: Int, idle: Int, waiting: Int) {
        state.withLock { ($0.pool.taken, $0.pool.idleCount, $0.pool.waitingCount) }
    }

    /// Whether a connection that is given back does not lie idle.
    var isWaitedFor: Bool { state.withLock { $0.pool.waitingCount > 0 || $0.pool.isClosed } }

    // MARK: Taking and giving back

    /// Each loan says anew whose rows are seen, also where it says nobody's.
    func confine(_ connection: PostgresConnection, to owner: ConnectionOwner?) {
        connection.confinement.account = configuration.confinement?(owner)
    }

    /// A place in the pool's order, and what it has come to so far.
    struct Request {
        fileprivate let number: UInt64
        let acquisition: PoolState<PostgresConnection>.Acquisition
    }

    func request(for owner: ConnectionOwner?) -> Request {
        state.withLock { state in
            state.nextNumber += 1
            return Request(
                number: state.nextNumber, acquisition: state.pool.acquire(as: state.nextNumber, for: owner))
        }
    }

    private func acquire(for owner: ConnectionOwner?) async throws(PostgresError) -> PostgresConnection {
        if Task.isCancelled { throw PostgresConnection.cancelled }
        let deadline = ContinuousClock.now + configuration.acquireTimeout
        return try await connection(request(for: owner), for: owner, deadline)
    }

    /// Waits for the connection that was asked for.
    func connection(
        _ request: Request, for owner: ConnectionOwner?, _ deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> PostgresConnection {
        switch await grant(request, owner, deadline) {
        case .connection(let connection):
            if connection.health.isQuiet { return connection }
            // The server went away while the connection was idle. Nothing has been sent on it: take a new one.
            Task { await connection.close() }
            return try await open(owner, deadline)
        case .slot:
            return try await open(owner, deadline)
        case .failure(let error):
            throw error
        }
    }

    private func grant(
        _ request: Request, _ owner: ConnectionOwner?, _ deadline: ContinuousClock.Instant
    ) async -> Grant {
        switch request.acquisition {
        case .use(let connection): .connection(connection)
        case .open: .slot
        case .closed: .failure(Self.closed)
        case .refused: .failure(Self.shareExhausted)
        case .wait: await wait(as: request.number, for: owner, deadline)
        }
    }

    private func wait(
        as number: UInt64, for owner: ConnectionOwner?, _ deadline: ContinuousClock.Instant
    ) async -> Grant {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (early, beginsToWatch) = state.withLock { state -> (Grant?, Bool) in
                    if let early = state.earlyGrants.removeValue(forKey: number) { return (early, false) }
                    let deadline = WaitDeadline(waiter: number, owner: owner, instant: deadline)
                    return (nil, state.suspend(number, continuation, until: deadline))
                }
                if let early { continuation.resume(returning: early) }
                if beginsToWatch { watchDeadlines() }
            }
        } onCancel: {
            abandon(number, PostgresConnection.cancelled)
        }
    }

    /// One task for all who wait: a timer for each would cost more than most of them wait for.
    private func watchDeadlines() {
        Task { [weak self] in
            while let deadline = self?.state.withLock({ $0.nextDeadline() }) {
                guard (try? await Task.sleep(until: deadline, clock: .continuous)) != nil else { return }
                self?.timeOut(at: deadline)
            }
        }
    }

    private func timeOut(at now: ContinuousClock.Instant) {
        let late = state.withLock { state in
            state.deadlines.filter { $0.instant <= now && state.continuations[$0.waiter] != nil }
        }
        for waiter in late { timeOut(waiter.waiter, waiter.owner) }
    }

    /// Who waits for its own connections to come back is told so.
    private func timeOut(_ number: UInt64, _ owner: ConnectionOwner?) {
        let hasItsShare = state.withLock { $0.pool.hasItsShare(owner) }
        abandon(
            number,
            hasItsShare ? Self.shareExhausted : PostgresError(.poolTimeout, "no database connection came free in time"))
    }

    private func abandon(_ number: UInt64, _ error: PostgresError) {
        let continuation = state.withLock { state in
            state.pool.abandon(number) ? state.takeContinuation(number, .failure(error)) : nil
        }
        continuation?.resume(returning: .failure(error))
    }

    /// Opens a connection in a slot that is already taken, and gives the slot back if that fails.
    private func open(
        _ owner: ConnectionOwner?, _ deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> PostgresConnection {
        do {
            return try await openPatiently(deadline)
        } catch {
            handOver { $0.releaseSlot(of: owner) }
            throw error
        }
    }

    private func openPatiently(_ deadline: ContinuousClock.Instant) async throws(PostgresError) -> PostgresConnection {
        var attempt = 0
        while true {
            if state.withLock({ $0.pool.isClosed }) { throw Self.closed }
            do throws(PostgresError) {
                return try await PostgresConnection.open(configuration)
            } catch {
                let pause = RetryBackoff.connecting.delay(attempt: attempt)
                attempt += 1
                guard error.mayPass, ContinuousClock.now + pause < deadline else { throw error }
                logger.debug("connecting to PostgreSQL failed", metadata: ["attempt": "\(attempt)"])
                try await Self.pause(pause)
            }
        }
    }

    private func release(_ connection: PostgresConnection, of owner: ConnectionOwner?) async {
        await connection.rollback()
        connection.confinement.account = nil
        if connection.isOpen, !connection.isInTransaction {
            handOver { $0.release(connection, of: owner) }
        } else {
            await connection.close()
            handOver { $0.releaseSlot(of: owner) }
        }
    }

    /// The same from where nobody can wait.
    func giveBack(_ connection: PostgresConnection, of owner: ConnectionOwner?) {
        guard connection.isOpen, !connection.isInTransaction else {
            Task { await release(connection, of: owner) }
            return
        }
        connection.confinement.account = nil
        handOver { $0.release(connection, of: owner) }
    }

    private func handOver(_ change: (inout PoolState<PostgresConnection>) -> PoolState<PostgresConnection>.Handover) {
        let (continuation, grant, discarded) = state.withLock {
            state -> (CheckedContinuation<Grant, Never>?, Grant, PostgresConnection?) in
            switch change(&state.pool) {
            case .none:
                return (nil, .slot, nil)
            case .give(let connection, let waiter):
                let grant = Grant.connection(connection)
                return (state.takeContinuation(waiter, grant), grant, nil)
            case .open(let waiter):
                return (state.takeContinuation(waiter, .slot), .slot, nil)
            case .discard(let connection):
                return (nil, .slot, connection)
            }
        }
        continuation?.resume(returning: grant)
        // Dropping the last reference closes it on its own thread.
        _ = discarded
    }

    private static func pause(_ duration: Duration) async throws(PostgresError) {
        do {
            try await Task.sleep(for: duration)
        } catch {
            throw PostgresConnection.cancelled
        }
    }

    private static var closed: PostgresError { PostgresError(.closed, "the pool is closed") }
    static var shareExhausted: PostgresError {
        PostgresError(.shareExhausted, "all connections that one owner may have are in use")
    }
}
