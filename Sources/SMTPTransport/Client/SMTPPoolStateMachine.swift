import DequeModule
package import NIOCore
import SMTPProtocol

/// Who gets which connection, and when connections are opened and closed: decisions only. The owner tells what
/// happened and when, and carries out what is returned, in order.
///
/// A waiter may keep clear of hosts. It is served by any connection to another host; where there is none, one is opened
/// for it, and a connection without work makes room if there is no other.
///
/// Promises: never more than `maximumConnections` exist, counting those being opened and closed; waiters are served
/// in the order in which they came, each by the first connection that suits it; each waiter gets exactly one connection or
/// failure, and while one waits there is a connection in use, being opened or being closed whose next event will look at
/// it again.
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
        /// The same, to another host than those that the waiter keeps clear of.
        case connectElsewhere(ConnectionID, for: WaiterID)
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

    private struct Waiter: Sendable {
        let id: WaiterID
        let avoids: Set<SMTPEndpoint>
        /// A connection is being opened for it.
        var isOpening = false

        func takes(_ endpoint: SMTPEndpoint?) -> Bool { endpoint.map { !avoids.contains($0) } ?? true }
    }

    private var limits: PoolLimits
    private var connections: [ConnectionID: Use] = [:]
    /// Where open connections lead, if that was told.
    private var endpoints: [ConnectionID: SMTPEndpoint] = [:]
    /// For whom connections are being opened that are not for anybody.
    private var owners: [ConnectionID: WaiterID] = [:]
    /// Longest unused first; the one used last is lent first, so that the others can go.
    private var idle: [(connection: ConnectionID, since: NIODeadline)] = []
    /// Without those that have an owner.
    private var connectingCount = 0
    private var waiters = Deque<Waiter>()
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

    /// - Parameter avoiding: where connections must not lead that are lent to the waiter.
    package mutating func acquire(
        _ waiter: WaiterID, avoiding: Set<SMTPEndpoint> = [], at now: NIODeadline
    ) -> [Action] {
        guard !isShutDown else { return [.fail(waiter, SMTPConnectFailure(.poolClosed))] }
        waiters.append(Waiter(id: waiter, avoids: avoiding))
        return serve(at: now)
    }

    /// A waiter that was served already is not affected.
    package mutating func cancel(_ waiter: WaiterID) -> [Action] {
        guard let index = waiters.firstIndex(where: { $0.id == waiter }) else { return [] }
        waiters.remove(at: index)
        return [.fail(waiter, SMTPConnectFailure(.cancelled))]
    }

    /// - Parameter endpoint: where it leads; nil suits everybody.
    package mutating func connected(
        _ connection: ConnectionID, to endpoint: SMTPEndpoint? = nil, at now: NIODeadline
    ) -> [Action] {
        if connections[connection] == .abandoned { return close(connection) }
        guard connections[connection] == .connecting else { return [] }
        _ = endOpening(connection)
        endpoints[connection] = endpoint
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
        let owner = endOpening(connection)
        forget(connection)
        guard let owner else {
            failure = (cause, now + TimeAmount(limits.failureBackoff))
            return serve(at: now)
        }
        // The other hosts cannot be reached, which says nothing about those that it keeps clear of.
        guard let index = waiters.firstIndex(where: { $0.id == owner }) else { return serve(at: now) }
        waiters.remove(at: index)
        return [.fail(owner, cause)] + serve(at: now)
    }

    /// - Returns: for whom alone it was being opened.
    private mutating func endOpening(_ connection: ConnectionID) -> WaiterID? {
        guard let owner = owners.removeValue(forKey: connection) else {
            connectingCount -= 1
            return nil
        }
        if let index = waiters.firstIndex(where: { $0.id == owner }) { waiters[index].isOpening = false }
        return owner
    }

    private mutating func forget(_ connection: ConnectionID) {
        connections[connection] = nil
        endpoints[connection] = nil
    }

    /// - Parameters:
    ///   - isUsable: whether the connection can take another message.
    ///   - deliveries: messages on this connection so far.
    package mutating func released(
        _ connection: ConnectionID, isUsable: Bool, deliveries: Int, at now: NIODeadline
    ) -> [Action] {
        guard let use = connections[connection], [.lent, .lentLast, .lentAndClosed].contains(use) else { return [] }
        if use == .lentAndClosed {
            forget(connection)
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
            forget(connection)
        case .closing:
            forget(connection)
        case .lent, .lentLast:
            connections[connection] = .lentAndClosed
        case .connecting, .abandoned, .lentAndClosed, nil:
            break
        }
        return serve(at: now)
    }

    /// Those who wait, and the next to come, cause new connections, however lately the last one failed.
    package mutating func forgetFailure(at now: NIODeadline) -> [Action] {
        failure = nil
        return isShutDown ? [] : serve(at: now)
    }

    /// Closes the connections without work that lead to a host which is better left alone.
    package mutating func leave(_ endpoint: SMTPEndpoint, at now: NIODeadline) -> [Action] {
        let leaving = idle.filter { endpoints[$0.connection] == endpoint }
        guard !leaving.isEmpty else { return [] }
        idle.removeAll { endpoints[$0.connection] == endpoint }
        return leaving.flatMap { close($0.connection) } + serve(at: now)
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
                _ = endOpening(connection)
            case .lent: connections[connection] = .lentLast
            case .abandoned, .idle, .lentLast, .lentAndClosed, .closing: break
            }
        }
        return isShutDown ? actions : actions + serve(at: now)
    }

    /// Whether a connection is being closed.
    package var isClosing: Bool { connections.values.contains(.closing) }

    /// Closes what is idle, however long.
    package mutating func closeIdle() -> [Action] {
        var actions: [Action] = []
        for entry in idle { actions += close(entry.connection) }
        idle.removeAll()
        return actions
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
        var actions: [Action] = waiters.map { .fail($0.id, SMTPConnectFailure(.poolClosed)) }
        waiters.removeAll()
        for entry in idle { actions += close(entry.connection) }
        idle.removeAll()
        return actions
    }

    private mutating func serve(at now: NIODeadline) -> [Action] {
        var actions = lendIdle()
        let backsOff = failure.map { now < $0.until } ?? false
        if !backsOff {
            actions += open()
        } else if let failure {
            actions += failThoseElsewhere(failure.cause)
        }
        // While others are in use, their holders' luck is the better guess than the failure.
        if let failure, connections.isEmpty {
            actions += waiters.map { .fail($0.id, failure.cause) }
            waiters.removeAll()
        }
        return actions
    }

    /// Each waiter in turn gets the connection used last of those that suit it. One that waits for room because nothing
    /// suits it gets that first.
    private mutating func lendIdle() -> [Action] {
        var actions: [Action] = []
        var index = 0
        while index < waiters.count, !idle.isEmpty {
            let waiter = waiters[index]
            if let found = idle.lastIndex(where: { waiter.takes(endpoints[$0.connection]) }) {
                let connection = idle.remove(at: found).connection
                connections[connection] = .lent
                waiters.remove(at: index)
                actions.append(.lend(connection, to: waiter.id))
            } else {
                if needsRoom(waiter) { actions += close(idle.removeFirst().connection) }
                index += 1
            }
        }
        return actions
    }

    private func needsRoom(_ waiter: Waiter) -> Bool {
        guard !waiter.isOpening, connections.count >= limits.maximumConnections else { return false }
        return !connections.values.contains(.closing)
    }

    /// Opens connections for those who wait, as far as there is room.
    private mutating func open() -> [Action] {
        var actions: [Action] = []
        var isOpened = connectingCount
        for index in waiters.indices {
            guard connections.count < limits.maximumConnections else { break }
            if waiters[index].avoids.isEmpty {
                if isOpened > 0 {
                    isOpened -= 1
                } else {
                    connectingCount += 1
                    actions.append(.connect(newConnection()))
                }
            } else if !waiters[index].isOpening {
                waiters[index].isOpening = true
                let connection = newConnection()
                owners[connection] = waiters[index].id
                actions.append(.connectElsewhere(connection, for: waiters[index].id))
            }
        }
        return actions
    }

    private mutating func newConnection() -> ConnectionID {
        let connection = ConnectionID(nextConnection)
        nextConnection += 1
        connections[connection] = .connecting
        return connection
    }

    /// No host could be reached a moment ago: those who need another than they had wait for nothing.
    private mutating func failThoseElsewhere(_ cause: SMTPConnectFailure) -> [Action] {
        let waiting = waiters.filter { !$0.avoids.isEmpty && !$0.isOpening }
        guard !waiting.isEmpty else { return [] }
        waiters.removeAll { !$0.avoids.isEmpty && !$0.isOpening }
        return waiting.map { .fail($0.id, cause) }
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
