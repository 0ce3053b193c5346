import DequeModule
package import NIOCore
import SMTPProtocol

/// Who gets which connection, and when connections are opened and closed: decisions only. The owner tells what
/// happened and when, and carries out what is returned, in order.
///
/// Promises: never more than `maximumConnections` exist, counting those being opened and closed; waiters are served
/// in the order in which they came; each waiter gets exactly one connection or failure, and while one waits there is a
/// connection in use, being opened or being closed whose next event will look at it again.
package struct SMTPPoolStateMachine: Sendable {
    package struct ConnectionID: Sendable, Hashable {
        package let number: Int
        package init(_ number: Int) { self.number = number }
    }

    package struct WaiterID: Sendable, Hashable {
        package let number: Int
        package init(_ number: Int) { self.number = number }
    }

    package enum Action: Sendable, Hashable {
        case lend(ConnectionID, to: WaiterID)
        /// Open a connection, then call `connected` or `connectFailed`.
        case connect(ConnectionID)
        /// End the connection; `closed` follows.
        case close(ConnectionID)
        case fail(WaiterID, SMTPConnectFailure)
    }

    private enum Use: Sendable, Hashable {
        case connecting
        /// Being opened, and out of date: closed, if it comes about.
        case abandoned
        case idle
        case lent
        /// Lent, and out of date: closed when it comes back.
        case lentLast
        /// Closed by the peer while somebody uses it.
        case lentAndClosed
        case closing
    }

    private var limits: PoolLimits
    private var connections: [ConnectionID: Use] = [:]
    /// Longest unused first; the one used last is lent first, so that the others can go.
    private var idle: [(connection: ConnectionID, since: NIODeadline)] = []
    private var connectingCount = 0
    private var lentCount = 0
    private var waiters = Deque<WaiterID>()
    private var nextConnection = 1
    private var failure: (cause: SMTPConnectFailure, until: NIODeadline)?
    private var isShutDown = false

    package init(limits: PoolLimits) {
        self.limits = limits
    }

    /// Connections that exist, those being opened and closed included.
    package var connectionCount: Int { connections.count }
    package var waiterCount: Int { waiters.count }
    package var idleCount: Int { idle.count }
    /// Shut down, and the last connection is gone.
    package var isDrained: Bool { isShutDown && connections.isEmpty }
    /// When `expire` has something to do.
    package var nextExpiry: NIODeadline? { idle.first.map { $0.since + TimeAmount(limits.idleTimeout) } }

    /// What is above the new limits goes as it is given back; what they allow beyond the old ones is opened for those who
    /// wait.
    package mutating func setLimits(_ limits: PoolLimits, at now: NIODeadline) -> [Action] {
        self.limits = limits
        return isShutDown ? [] : serve(at: now)
    }

    package mutating func acquire(_ waiter: WaiterID, at now: NIODeadline) -> [Action] {
        guard !isShutDown else { return [.fail(waiter, SMTPConnectFailure(.poolClosed))] }
        waiters.append(waiter)
        return serve(at: now)
    }

    /// A waiter that was served already is not affected.
    package mutating func cancel(_ waiter: WaiterID) -> [Action] {
        guard let index = waiters.firstIndex(of: waiter) else { return [] }
        waiters.remove(at: index)
        return [.fail(waiter, SMTPConnectFailure(.cancelled))]
    }

    package mutating func connected(_ connection: ConnectionID, at now: NIODeadline) -> [Action] {
        if connections[connection] == .abandoned { return close(connection) }
        guard connections[connection] == .connecting else { return [] }
        connectingCount -= 1
        failure = nil
        guard !isShutDown else { return close(connection) }
        makeIdle(connection, at: now)
        return serve(at: now)
    }

    package mutating func connectFailed(
        _ connection: ConnectionID, _ cause: SMTPConnectFailure, at now: NIODeadline
    ) -> [Action] {
        if connections[connection] == .abandoned {
            connections[connection] = nil
            return serve(at: now)
        }
        guard connections[connection] == .connecting else { return [] }
        connectingCount -= 1
        connections[connection] = nil
        failure = (cause, now + TimeAmount(limits.failureBackoff))
        return serve(at: now)
    }

    /// - Parameters:
    ///   - isUsable: whether the connection can take another message.
    ///   - deliveries: messages on this connection so far.
    package mutating func released(
        _ connection: ConnectionID, isUsable: Bool, deliveries: Int, at now: NIODeadline
    ) -> [Action] {
        guard let use = connections[connection], [.lent, .lentLast, .lentAndClosed].contains(use) else { return [] }
        lentCount -= 1
        if use == .lentAndClosed {
            connections[connection] = nil
            return serve(at: now)
        }
        guard use == .lent, isUsable, deliveries < limits.maximumMessagesPerConnection, !isShutDown,
            connections.count <= limits.maximumConnections
        else {
            return close(connection)
        }
        makeIdle(connection, at: now)
        return serve(at: now)
    }

    /// The connection is closed, by us or by the peer.
    package mutating func closed(_ connection: ConnectionID, at now: NIODeadline) -> [Action] {
        switch connections[connection] {
        case .idle:
            idle.removeAll { $0.connection == connection }
            connections[connection] = nil
        case .closing:
            connections[connection] = nil
        case .lent, .lentLast:
            connections[connection] = .lentAndClosed
        case .connecting, .abandoned, .lentAndClosed, nil:
            break
        }
        return serve(at: now)
    }

    /// The next waiter causes a new connection, however lately the last one failed.
    package mutating func forgetFailure() -> [Action] {
        failure = nil
        return []
    }

    /// Connections are made in another way from now on. Those that exist serve nobody new, and what failed before says
    /// nothing.
    package mutating func outdateConnections(at now: NIODeadline) -> [Action] {
        failure = nil
        var actions: [Action] = []
        for entry in idle { actions += close(entry.connection) }
        idle.removeAll()
        for (connection, use) in connections {
            switch use {
            case .connecting:
                connections[connection] = .abandoned
                connectingCount -= 1
            case .lent: connections[connection] = .lentLast
            case .abandoned, .idle, .lentLast, .lentAndClosed, .closing: break
            }
        }
        return isShutDown ? actions : actions + serve(at: now)
    }

    /// Closes what was idle for too long.
    package mutating func expire(at now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        while let first = idle.first, first.since + TimeAmount(limits.idleTimeout) <= now {
            idle.removeFirst()
            actions += close(first.connection)
        }
        return actions
    }

    /// Fails all who wait and closes what is idle. Connections in use are closed as they come back.
    package mutating func shutDown() -> [Action] {
        isShutDown = true
        var actions: [Action] = waiters.map { .fail($0, SMTPConnectFailure(.poolClosed)) }
        waiters.removeAll()
        for entry in idle { actions += close(entry.connection) }
        idle.removeAll()
        return actions
    }

    private mutating func serve(at now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        while !waiters.isEmpty, let (connection, _) = idle.popLast() {
            connections[connection] = .lent
            lentCount += 1
            actions.append(.lend(connection, to: waiters.removeFirst()))
        }
        let backsOff = failure.map { now < $0.until } ?? false
        while !backsOff, connectingCount < waiters.count, connections.count < limits.maximumConnections {
            let connection = ConnectionID(nextConnection)
            nextConnection += 1
            connections[connection] = .connecting
            connectingCount += 1
            actions.append(.connect(connection))
        }
        // While others are in use, their holders' luck is the better guess than the failure.
        if let failure, connections.isEmpty {
            actions += waiters.map { .fail($0, failure.cause) }
            waiters.removeAll()
        }
        return actions
    }

    private mutating func makeIdle(_ connection: ConnectionID, at now: NIODeadline) {
        connections[connection] = .idle
        idle.append((connection, now))
    }

    private mutating func close(_ connection: ConnectionID) -> [Action] {
        connections[connection] = .closing
        return [.close(connection)]
    }
}
