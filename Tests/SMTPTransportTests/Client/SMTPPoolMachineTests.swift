import MailTypes
import NIOCore
import SMTPProtocol
import SMTPTransport
import TestSupport
import Testing

private typealias Machine = SMTPPoolStateMachine
private typealias Action = SMTPPoolStateMachine.Action
private typealias ConnectionID = SMTPPoolStateMachine.ConnectionID
private typealias WaiterID = SMTPPoolStateMachine.WaiterID

private let unreachable = SMTPConnectFailure(
    host: "mx.example", report: DeliveryReport(.temporary, .unreachable, in: .connect, blame: .connection))

private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

private func machine(_ maximumConnections: Int, messages: Int = 100) -> Machine {
    Machine(
        limits: PoolLimits(
            maximumConnections: maximumConnections, maximumMessagesPerConnection: messages,
            idleTimeout: .seconds(5), failureBackoff: .seconds(10)))
}

@Test
private func `connections are opened as they are needed, and then lent in turn`() {
    var pool = machine(2)
    #expect(pool.acquire(WaiterID(1), at: at(0)) == [.connect(ConnectionID(1))])
    #expect(pool.acquire(WaiterID(2), at: at(0)) == [.connect(ConnectionID(2))])
    #expect(pool.acquire(WaiterID(3), at: at(0)) == [])
    #expect(pool.connected(ConnectionID(2), at: at(1)) == [.lend(ConnectionID(2), to: WaiterID(1))])
    #expect(pool.connected(ConnectionID(1), at: at(1)) == [.lend(ConnectionID(1), to: WaiterID(2))])
    #expect(
        pool.released(ConnectionID(1), isUsable: true, deliveries: 1, at: at(2))
            == [.lend(ConnectionID(1), to: WaiterID(3))])
}

@Test
private func `the connection used last is lent first, and the others go`() {
    var pool = machine(2)
    for number in 1...2 {
        _ = pool.acquire(WaiterID(number), at: at(0))
        _ = pool.connected(ConnectionID(number), at: at(0))
    }
    #expect(pool.released(ConnectionID(1), isUsable: true, deliveries: 1, at: at(1)) == [])
    #expect(pool.released(ConnectionID(2), isUsable: true, deliveries: 1, at: at(2)) == [])
    #expect(pool.acquire(WaiterID(3), at: at(3)) == [.lend(ConnectionID(2), to: WaiterID(3))])
    #expect(pool.nextExpiry == at(6))
    #expect(pool.expire(at: at(5)) == [])
    #expect(pool.expire(at: at(6)) == [.close(ConnectionID(1))])
    #expect(pool.connectionCount == 2, "it counts until it is closed")
    #expect(pool.closed(ConnectionID(1), at: at(6)) == [])
    #expect(pool.connectionCount == 1)
}

@Test
private func `a worn connection is replaced once it is closed`() {
    var pool = machine(1, messages: 2)
    _ = pool.acquire(WaiterID(1), at: at(0))
    _ = pool.connected(ConnectionID(1), at: at(0))
    _ = pool.acquire(WaiterID(2), at: at(0))
    #expect(
        pool.released(ConnectionID(1), isUsable: true, deliveries: 2, at: at(1)) == [.close(ConnectionID(1))])
    #expect(pool.closed(ConnectionID(1), at: at(1)) == [.connect(ConnectionID(2))])
    #expect(pool.connected(ConnectionID(2), at: at(1)) == [.lend(ConnectionID(2), to: WaiterID(2))])
}

@Test
private func `a failure is remembered for a while`() {
    var pool = machine(2)
    _ = pool.acquire(WaiterID(1), at: at(0))
    _ = pool.acquire(WaiterID(2), at: at(0))
    #expect(pool.connectFailed(ConnectionID(1), unreachable, at: at(1)) == [], "the other may still come about")
    #expect(
        pool.connectFailed(ConnectionID(2), unreachable, at: at(2))
            == [.fail(WaiterID(1), unreachable), .fail(WaiterID(2), unreachable)])
    #expect(pool.acquire(WaiterID(3), at: at(11)) == [.fail(WaiterID(3), unreachable)])
    #expect(pool.acquire(WaiterID(4), at: at(12)) == [.connect(ConnectionID(3))])
}

@Test
private func `while a connection works, a failure only stops new ones`() {
    var pool = machine(3)
    _ = pool.acquire(WaiterID(1), at: at(0))
    _ = pool.connected(ConnectionID(1), at: at(0))
    #expect(pool.acquire(WaiterID(2), at: at(0)) == [.connect(ConnectionID(2))])
    #expect(pool.connectFailed(ConnectionID(2), unreachable, at: at(1)) == [])
    #expect(pool.acquire(WaiterID(3), at: at(2)) == [])
    #expect(
        pool.released(ConnectionID(1), isUsable: true, deliveries: 1, at: at(3))
            == [.lend(ConnectionID(1), to: WaiterID(2))])
    #expect(
        pool.released(ConnectionID(1), isUsable: true, deliveries: 2, at: at(30))
            == [.lend(ConnectionID(1), to: WaiterID(3))])
}

@Test
private func `a connection that closes in use is not waited for`() {
    var pool = machine(1)
    _ = pool.acquire(WaiterID(1), at: at(0))
    _ = pool.connected(ConnectionID(1), at: at(0))
    _ = pool.acquire(WaiterID(2), at: at(0))
    #expect(pool.closed(ConnectionID(1), at: at(1)) == [])
    #expect(
        pool.released(ConnectionID(1), isUsable: false, deliveries: 1, at: at(1)) == [.connect(ConnectionID(2))])
}

@Test
private func `after the end nobody is served`() {
    var pool = machine(3)
    for number in 1...3 { _ = pool.acquire(WaiterID(number), at: at(0)) }
    _ = pool.connected(ConnectionID(1), at: at(0))
    _ = pool.connected(ConnectionID(2), at: at(0))
    _ = pool.released(ConnectionID(2), isUsable: true, deliveries: 1, at: at(0))
    // 1 and 2 are lent (to waiters 1 and 3), 3 is being opened.
    _ = pool.acquire(WaiterID(4), at: at(0))
    let poolClosed = SMTPConnectFailure(
        host: "", report: DeliveryReport(.temporary, .poolClosed, in: .connect, blame: .connection))
    #expect(pool.shutDown() == [.fail(WaiterID(4), poolClosed)])
    #expect(pool.acquire(WaiterID(5), at: at(1)) == [.fail(WaiterID(5), poolClosed)])
    #expect(pool.connected(ConnectionID(3), at: at(1)) == [.close(ConnectionID(3))])
    #expect(pool.released(ConnectionID(1), isUsable: true, deliveries: 1, at: at(1)) == [.close(ConnectionID(1))])
    #expect(pool.released(ConnectionID(2), isUsable: false, deliveries: 1, at: at(1)) == [.close(ConnectionID(2))])
    for number in 1...3 {
        #expect(!pool.isDrained)
        #expect(pool.closed(ConnectionID(number), at: at(2)) == [])
    }
    #expect(pool.isDrained)
}

@Test
private func `connections that are out of date serve nobody new`() {
    var pool = machine(4)
    for number in 1...3 { _ = pool.acquire(WaiterID(number), at: at(0)) }
    for number in 1...2 { _ = pool.connected(ConnectionID(number), at: at(0)) }
    // 1 and 2 are lent, 3 is being opened.
    #expect(pool.outdateConnections(at: at(1)) == [.connect(ConnectionID(4))])
    #expect(pool.connectFailed(ConnectionID(3), unreachable, at: at(2)) == [], "nobody is told of it")
    #expect(pool.connected(ConnectionID(4), at: at(3)) == [.lend(ConnectionID(4), to: WaiterID(3))])
    for number in 1...2 {
        #expect(
            pool.released(ConnectionID(number), isUsable: true, deliveries: 3, at: at(4))
                == [.close(ConnectionID(number))])
    }
    #expect(pool.released(ConnectionID(4), isUsable: true, deliveries: 1, at: at(4)) == [])
    #expect(pool.outdateConnections(at: at(5)) == [.close(ConnectionID(4))], "it was idle")
}

@Test
private func `a failure before a new way to connect says nothing about it`() {
    var pool = machine(1)
    _ = pool.acquire(WaiterID(1), at: at(0))
    _ = pool.connectFailed(ConnectionID(1), unreachable, at: at(0))
    #expect(pool.acquire(WaiterID(2), at: at(1)) == [.fail(WaiterID(2), unreachable)])
    #expect(pool.outdateConnections(at: at(1)) == [])
    #expect(pool.acquire(WaiterID(3), at: at(1)) == [.connect(ConnectionID(2))])
    // One that comes about after all is closed; the waiter gets the next.
    #expect(pool.outdateConnections(at: at(2)) == [])
    #expect(pool.connected(ConnectionID(2), at: at(2)) == [.close(ConnectionID(2))])
    #expect(pool.closed(ConnectionID(2), at: at(2)) == [.connect(ConnectionID(3))])
    #expect(pool.connected(ConnectionID(3), at: at(3)) == [.lend(ConnectionID(3), to: WaiterID(3))])
}

// MARK: Waiters that keep clear of hosts

private func endpoint(_ number: Int) -> SMTPEndpoint {
    SMTPEndpoint(address: .v4(0xC000_0200 + UInt32(number)), port: 25)
}

@Test
private func `a waiter gets no connection to a host that it keeps clear of`() {
    var pool = machine(2)
    _ = pool.acquire(WaiterID(1), at: at(0))
    _ = pool.connected(ConnectionID(1), to: endpoint(1), at: at(0))
    #expect(pool.released(ConnectionID(1), isUsable: true, deliveries: 1, at: at(1)) == [])
    #expect(
        pool.acquire(WaiterID(2), avoiding: [endpoint(1)], at: at(1))
            == [.connectElsewhere(ConnectionID(2), for: WaiterID(2))])
    #expect(
        pool.acquire(WaiterID(3), at: at(1)) == [.lend(ConnectionID(1), to: WaiterID(3))],
        "others need not wait for that")
    #expect(
        pool.connected(ConnectionID(2), to: endpoint(2), at: at(2)) == [.lend(ConnectionID(2), to: WaiterID(2))])
}

@Test
private func `a waiter takes an open connection to another host`() {
    var pool = machine(2)
    for number in 1...2 {
        _ = pool.acquire(WaiterID(number), at: at(0))
        _ = pool.connected(ConnectionID(number), to: endpoint(number), at: at(0))
    }
    for number in 1...2 { _ = pool.released(ConnectionID(number), isUsable: true, deliveries: 1, at: at(1)) }
    #expect(
        pool.acquire(WaiterID(3), avoiding: [endpoint(2)], at: at(2)) == [.lend(ConnectionID(1), to: WaiterID(3))])
}

@Test
private func `a connection that suits nobody makes room`() {
    var pool = machine(1)
    _ = pool.acquire(WaiterID(1), at: at(0))
    _ = pool.connected(ConnectionID(1), to: endpoint(1), at: at(0))
    #expect(pool.acquire(WaiterID(2), avoiding: [endpoint(1)], at: at(0)) == [])
    #expect(pool.acquire(WaiterID(3), at: at(0)) == [])
    #expect(
        pool.released(ConnectionID(1), isUsable: true, deliveries: 1, at: at(1)) == [.close(ConnectionID(1))],
        "it came first, however well the connection would suit the other")
    #expect(
        pool.closed(ConnectionID(1), at: at(1)) == [.connectElsewhere(ConnectionID(2), for: WaiterID(2))])
    #expect(
        pool.connected(ConnectionID(2), to: endpoint(2), at: at(2)) == [.lend(ConnectionID(2), to: WaiterID(2))])
    #expect(
        pool.released(ConnectionID(2), isUsable: true, deliveries: 1, at: at(2))
            == [.lend(ConnectionID(2), to: WaiterID(3))])
}

@Test
private func `no other host to be reached fails only who needs one`() {
    var pool = machine(2)
    _ = pool.acquire(WaiterID(1), at: at(0))
    _ = pool.connected(ConnectionID(1), to: endpoint(1), at: at(0))
    _ = pool.acquire(WaiterID(2), avoiding: [endpoint(1)], at: at(0))
    #expect(pool.connectFailed(ConnectionID(2), unreachable, at: at(1)) == [.fail(WaiterID(2), unreachable)])
    #expect(pool.acquire(WaiterID(3), at: at(1)) == [.connect(ConnectionID(3))], "the destination is no worse for it")
}

@Test
private func `a destination that cannot be reached has no other host`() {
    var pool = machine(2)
    _ = pool.acquire(WaiterID(1), at: at(0))
    _ = pool.connected(ConnectionID(1), to: endpoint(1), at: at(0))
    _ = pool.acquire(WaiterID(2), at: at(0))
    #expect(pool.connectFailed(ConnectionID(2), unreachable, at: at(1)) == [])
    #expect(
        pool.acquire(WaiterID(3), avoiding: [endpoint(1)], at: at(2)) == [.fail(WaiterID(3), unreachable)])
}

@Test
private func `connections to a host that is left are closed as far as nobody uses them`() {
    var pool = machine(3)
    for number in 1...3 {
        _ = pool.acquire(WaiterID(number), at: at(0))
        _ = pool.connected(ConnectionID(number), to: endpoint(number % 2), at: at(0))
    }
    for number in 1...2 { _ = pool.released(ConnectionID(number), isUsable: true, deliveries: 1, at: at(1)) }
    // 1 and 3 lead to the same host; 3 is lent.
    #expect(pool.leave(endpoint(1), at: at(1)) == [.close(ConnectionID(1))])
    #expect(pool.leave(endpoint(1), at: at(1)) == [])
    #expect(pool.acquire(WaiterID(4), at: at(1)) == [.lend(ConnectionID(2), to: WaiterID(4))])
}

// MARK: Against a simpler model

/// What may be true of a pool, kept by somebody who only sees what goes in and what comes out.
private struct PoolModel {
    enum Use: Equatable { case connecting, ready, lent, closing }

    let maximum: Int
    let messages: Int
    var queue: [WaiterID] = []
    /// Where connections must not lead that a waiter gets.
    var avoided: [WaiterID: Set<SMTPEndpoint>] = [:]
    var connections: [ConnectionID: Use] = [:]
    var leads: [ConnectionID: SMTPEndpoint] = [:]
    /// Opened for one waiter.
    var owners: [ConnectionID: WaiterID] = [:]
    var deliveries: [ConnectionID: Int] = [:]
    var answered: Set<WaiterID> = []
    /// Closed by the peer while lent.
    var dead: Set<ConnectionID> = []
    /// Opened, or begun, before the last change of the way to connect.
    var outdated: Set<ConnectionID> = []
    var failedUntil: NIODeadline?
    /// What happened is a reason to close connections that would serve.
    var mayClose = false

    func suits(_ waiter: WaiterID, _ connection: ConnectionID) -> Bool {
        leads[connection].map { !avoided[waiter, default: []].contains($0) } ?? true
    }

    mutating func carryOut(_ actions: [Action], at now: NIODeadline) {
        for action in actions {
            switch action {
            case .lend(let connection, let waiter):
                #expect(
                    queue.first { suits($0, connection) || needsRoom($0) } == waiter,
                    "first come, first served, by what suits")
                #expect(suits(waiter, connection))
                #expect(connections[connection] == .ready)
                #expect(!outdated.contains(connection))
                #expect(deliveries[connection, default: 0] < messages)
                queue.removeAll { $0 == waiter }
                connections[connection] = .lent
                #expect(answered.insert(waiter).inserted)
            case .connect(let connection): connect(connection, at: now)
            case .connectElsewhere(let connection, let waiter):
                #expect(queue.contains(waiter))
                #expect(!avoided[waiter, default: []].isEmpty)
                #expect(!owners.values.contains(waiter), "one connection for one waiter")
                owners[connection] = waiter
                connect(connection, at: now)
            case .close(let connection):
                #expect(connections[connection] == .ready || connections[connection] == .lent)
                if connections[connection] == .ready, !mayClose, !outdated.contains(connection) {
                    #expect(queue.contains(where: needsRoom), "a good connection goes only to make room")
                }
                connections[connection] = .closing
            case .fail(let waiter, _):
                #expect(queue.contains(waiter))
                queue.removeAll { $0 == waiter }
                #expect(answered.insert(waiter).inserted)
            }
            #expect(connections.count <= maximum)
        }
        mayClose = false
        for waiter in queue {
            let isSuited = connections.contains { $0.value == .ready && suits(waiter, $0.key) }
            #expect(!isSuited, "nobody waits beside a free connection that suits")
        }
        if !queue.isEmpty {
            #expect(connections.values.contains { $0 != .ready }, "nobody waits for nothing")
        }
    }

    /// Before anything is lent to those behind, somebody whom nothing open suits gets room for a new connection.
    private func needsRoom(_ waiter: WaiterID) -> Bool {
        !avoided[waiter, default: []].isEmpty && connections.count >= maximum && !owners.values.contains(waiter)
            && !connections.values.contains(.closing)
    }

    private mutating func connect(_ connection: ConnectionID, at now: NIODeadline) {
        #expect(connections[connection] == nil)
        #expect(failedUntil.map { $0 <= now } ?? true, "the destination is left alone after a failure")
        connections[connection] = .connecting
    }

    func any(_ use: Use, using random: inout SeededGenerator) -> ConnectionID? {
        connections.filter { $0.value == use }.keys.sorted { $0.number < $1.number }.randomElement(using: &random)
    }
}

@Test(arguments: Seed.range(1..<301))
private func `a simpler model agrees`(seed: Seed) {
    var random = SeededGenerator(seed)
    let maximum = Int.random(in: 1...5, using: &random)
    let messages = Int.random(in: 1...4, using: &random)
    let hosts = Int.random(in: 1...3, using: &random)
    // Every third history is one of waiters that take any host.
    let avoids = !seed.value.isMultiple(of: 3)
    var pool = machine(maximum, messages: messages)
    var model = PoolModel(maximum: maximum, messages: messages)
    var seconds: Int64 = 0
    var waiters = 0

    func acquire() {
        waiters += 1
        let waiter = WaiterID(waiters)
        model.queue.append(waiter)
        if avoids, Bool.random(using: &random) {
            model.avoided[waiter] = [endpoint(Int.random(in: 0..<hosts, using: &random))]
        }
        model.carryOut(
            pool.acquire(waiter, avoiding: model.avoided[waiter, default: []], at: at(seconds)), at: at(seconds))
    }
    func connectEnds(_ succeeds: Bool) {
        guard let connection = model.any(.connecting, using: &random) else { return }
        let isOutdated = model.outdated.contains(connection)
        let owner = model.owners.removeValue(forKey: connection)
        let keepsClear = owner.flatMap { model.avoided[$0] } ?? []
        let reachable = (0..<hosts).map(endpoint).filter { !keepsClear.contains($0) }
        if succeeds, let host = reachable.randomElement(using: &random) {
            model.connections[connection] = .ready
            model.leads[connection] = host
            if !isOutdated { model.failedUntil = nil }
            model.carryOut(pool.connected(connection, to: host, at: at(seconds)), at: at(seconds))
        } else {
            model.connections[connection] = nil
            if !isOutdated, owner == nil { model.failedUntil = at(seconds + 10) }
            model.carryOut(pool.connectFailed(connection, unreachable, at: at(seconds)), at: at(seconds))
            if let owner, !isOutdated { #expect(!model.queue.contains(owner), "who needs another host is told") }
        }
    }
    func release(isUsable: Bool) {
        guard let connection = model.any(.lent, using: &random) else { return }
        let isDead = model.dead.contains(connection)
        model.deliveries[connection, default: 0] += 1
        let count = model.deliveries[connection, default: 0]
        if isDead {
            model.connections[connection] = nil
        } else if isUsable && count < messages && !model.outdated.contains(connection) {
            model.connections[connection] = .ready
        }
        model.carryOut(
            pool.released(connection, isUsable: isUsable && !isDead, deliveries: count, at: at(seconds)),
            at: at(seconds))
        #expect(model.connections[connection] != .lent || !model.queue.isEmpty || count < messages)
    }
    func close(_ use: PoolModel.Use) {
        guard let connection = model.any(use, using: &random) else { return }
        if use == .lent {
            model.dead.insert(connection)
        } else {
            model.connections[connection] = nil
        }
        model.carryOut(pool.closed(connection, at: at(seconds)), at: at(seconds))
    }
    func outdate() {
        model.outdated.formUnion(model.connections.keys)
        model.owners.removeAll()
        model.failedUntil = nil
        model.mayClose = true
        model.carryOut(pool.outdateConnections(at: at(seconds)), at: at(seconds))
        #expect(!model.connections.values.contains(.ready), "what is idle is closed")
    }
    func leave() {
        let host = endpoint(Int.random(in: 0..<hosts, using: &random))
        model.mayClose = true
        model.carryOut(pool.leave(host, at: at(seconds)), at: at(seconds))
        #expect(!model.connections.contains { $0.value == .ready && model.leads[$0.key] == host })
    }

    for _ in 0..<300 {
        switch Int.random(in: 0..<16, using: &random) {
        case 0...3: acquire()
        case 4: connectEnds(false)
        case 5...6: connectEnds(true)
        case 7...8: release(isUsable: true)
        case 9: release(isUsable: false)
        case 10: close([.ready, .lent].randomElement(using: &random) ?? .ready)
        case 11: close(.closing)
        case 12:
            seconds += Int64.random(in: 0...6, using: &random)
            model.mayClose = true
            model.carryOut(pool.expire(at: at(seconds)), at: at(seconds))
        case 13: outdate()
        case 14: leave()
        default:
            let waiter = WaiterID(Int.random(in: 1...max(waiters, 1), using: &random))
            let wasWaiting = model.queue.contains(waiter)
            let actions = pool.cancel(waiter)
            #expect(actions.isEmpty == !wasWaiting)
            model.carryOut(actions, at: at(seconds))
        }
        #expect(pool.connectionCount == model.connections.count)
        #expect(pool.waiterCount == model.queue.count)
    }

    // Whatever happened, everybody gets an answer once the world goes on.
    while model.connections.values.contains(where: { $0 != .ready }) {
        connectEnds(true)
        release(isUsable: true)
        close(.closing)
    }
    #expect(model.queue.isEmpty)
    #expect(model.answered.count == waiters)
    model.mayClose = true
    model.carryOut(pool.shutDown(), at: at(seconds))
    while !model.connections.isEmpty { close(.closing) }
    #expect(pool.isDrained)
}

@Test
private func `new limits hold for those who wait, and for connections as they come back`() {
    var pool = machine(1)
    for number in 1...3 { _ = pool.acquire(WaiterID(number), at: at(0)) }
    #expect(
        pool.setLimits(PoolLimits(maximumConnections: 3), at: at(0))
            == [.connect(ConnectionID(2)), .connect(ConnectionID(3))])
    for number in 1...3 { _ = pool.connected(ConnectionID(number), at: at(1)) }
    #expect(pool.setLimits(PoolLimits(maximumConnections: 2, maximumMessagesPerConnection: 4), at: at(2)) == [])
    #expect(
        pool.released(ConnectionID(1), isUsable: true, deliveries: 1, at: at(3)) == [.close(ConnectionID(1))],
        "one too many")
    #expect(pool.closed(ConnectionID(1), at: at(3)) == [])
    #expect(pool.released(ConnectionID(2), isUsable: true, deliveries: 1, at: at(3)) == [], "kept")
    #expect(pool.released(ConnectionID(3), isUsable: true, deliveries: 4, at: at(3)) == [.close(ConnectionID(3))])
}
