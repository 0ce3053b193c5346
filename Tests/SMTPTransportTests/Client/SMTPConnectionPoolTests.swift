import MailTypes
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SMTPProtocol
import SMTPTransport
import Testing

private typealias Script = ScriptedServer.Script

private func pool(
    _ targets: [SMTPTarget], _ limits: PoolLimits = PoolLimits(),
    now: @escaping @Sendable () -> NIODeadline = { .now() }
) -> SMTPConnectionPool {
    SMTPConnectionPool(
        targets: targets, configuration: clientConfiguration(), limits: limits,
        group: .singletonMultiThreadedEventLoopGroup, logger: quietLogger, now: now)
}

/// Borrows so many connections at the same time.
private func openAll(_ count: Int, of pool: SMTPConnectionPool) async throws {
    let lent = NIOLockedValueBox(0)
    try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<count {
            group.addTask {
                try await pool.withConnection { _ in
                    lent.withLockedValue { $0 += 1 }
                    while lent.withLockedValue({ $0 }) < count { try? await Task.sleep(for: .milliseconds(2)) }
                }
            }
        }
        try await group.waitForAll()
    }
}

@Test(.timeLimit(.minutes(1)))
private func `many deliveries share few connections`() async throws {
    let server = try await ScriptedServer(Script())
    let pool = pool([server.target], PoolLimits(maximumConnections: 3, idleTimeout: .seconds(60)))
    try await openAll(3, of: pool)
    await withTaskGroup(of: Void.self) { group in
        for _ in 0..<100 {
            group.addTask {
                do throws(SMTPConnectFailure) {
                    let report = try await pool.deliver(makeEnvelope(), shortMessage)
                    #expect(report.verdict == .accepted)
                } catch {
                    Issue.record(error)
                }
            }
        }
    }
    #expect(server.seen.contents.count == 100)
    #expect(server.seen.connections == 3)
    await pool.shutdown()
    try await server.wait { $0.closed == $0.connections }
    #expect(server.seen.commands.count { $0 == "QUIT" } == 3)
    let error = await failure { () async throws(SMTPConnectFailure) in
        _ = try await pool.deliver(makeEnvelope(), shortMessage)
    }
    #expect(error?.report.cause == .poolClosed)
}

@Test(.timeLimit(.minutes(1)))
private func `a connection is used for so many messages and no more`() async throws {
    let server = try await ScriptedServer(Script())
    let pool = pool([server.target], PoolLimits(maximumConnections: 1, maximumMessagesPerConnection: 4))
    for _ in 0..<9 { #expect(try await pool.deliver(makeEnvelope(), shortMessage).verdict == .accepted) }
    #expect(server.seen.connections == 3)
    await pool.shutdown()
}

@Test(.timeLimit(.minutes(1)))
private func `a connection without work is closed`() async throws {
    let server = try await ScriptedServer(Script())
    let pool = pool([server.target], PoolLimits(idleTimeout: .milliseconds(20)))
    #expect(try await pool.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    try await server.wait { $0.closed == 1 }
    #expect(server.seen.commands.last == "QUIT")
    #expect(try await pool.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    #expect(server.seen.connections == 2)
    await pool.shutdown()
}

@Test(.timeLimit(.minutes(1)))
private func `the next host is tried, and the dead one comes last for a while`() async throws {
    var closed = Script()
    closed.greeting = [.write("554 5.3.2 no service\r\n")]
    let first = try await ScriptedServer(closed, Script())
    let second = try await ScriptedServer(Script())
    let clock = AdvancedClock()
    let pool = pool(
        [first.target(host: "mx1.example"), second.target(host: "mx2.example", preference: 10)],
        PoolLimits(maximumConnections: 1, maximumMessagesPerConnection: 1, failureBackoff: .seconds(600)),
        now: clock.now)
    for _ in 0..<3 { #expect(try await pool.deliver(makeEnvelope(), shortMessage).verdict == .accepted) }
    #expect(first.seen.connections == 1)
    #expect(second.seen.connections == 3)
    clock.advance(by: .seconds(600))
    #expect(try await pool.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    #expect(first.seen.connections == 2)
    #expect(second.seen.connections == 3)
    await pool.shutdown()
}

@Test(.timeLimit(.minutes(1)))
private func `a destination that failed is not asked again at once`() async throws {
    var closed = Script()
    closed.greeting = [.write("421 4.3.2 too many connections\r\n")]
    let server = try await ScriptedServer(closed, Script())
    let clock = AdvancedClock()
    let pool = pool(
        [server.target], PoolLimits(failureBackoff: .seconds(600)), now: clock.now)
    for _ in 0..<5 {
        let error = await failure { () async throws(SMTPConnectFailure) in
            _ = try await pool.deliver(makeEnvelope(), shortMessage)
        }
        #expect(error?.phase == .greeting)
        #expect(error?.reply?.code == 421)
        #expect(error?.verdict == .temporary)
    }
    #expect(server.seen.connections == 1)
    clock.advance(by: .seconds(600))
    #expect(try await pool.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    await pool.shutdown()
}

@Test(.timeLimit(.minutes(1)))
private func `a connection that the server closed while idle is replaced unseen`() async throws {
    // Closes at the second MAIL: the client cannot tell that from a close just before.
    let mails = NIOLockedValueBox(0)
    let forgetful = Script { line in
        guard line.hasPrefix("MAIL") else { return nil }
        let count = mails.withLockedValue { count in
            count += 1
            return count
        }
        return count == 2 ? [.close] : nil
    }
    let server = try await ScriptedServer(forgetful)
    let pool = pool([server.target], PoolLimits(maximumConnections: 1, idleTimeout: .seconds(60)))
    for _ in 0..<2 { #expect(try await pool.deliver(makeEnvelope(), shortMessage).verdict == .accepted) }
    #expect(server.seen.connections == 2)
    #expect(server.seen.contents.count == 2)
    await pool.shutdown()
}

@Test(.timeLimit(.minutes(1)))
private func `who waits is served in turn, and may give up`() async throws {
    let server = try await ScriptedServer(Script())
    let pool = pool([server.target], PoolLimits(maximumConnections: 1, idleTimeout: .seconds(60)))
    let order = NIOLockedValueBox<[Int]>([])
    let (gate, open) = AsyncStream<Void>.makeStream()

    func queueUp(_ number: Int) async throws -> Task<SMTPConnectFailure?, Never> {
        let waiting = pool.waiterCount
        let task = Task {
            await failure { () async throws(SMTPConnectFailure) in
                try await pool.withConnection { _ in order.withLockedValue { $0.append(number) } }
            }
        }
        while pool.waiterCount == waiting { try await Task.sleep(for: .milliseconds(1)) }
        return task
    }

    let holder = Task {
        await failure { () async throws(SMTPConnectFailure) in
            try await pool.withConnection { _ in
                for await _ in gate {}
            }
        }
    }
    try await server.wait { $0.commands.count == 1 }
    while pool.waiterCount > 0 { try await Task.sleep(for: .milliseconds(1)) }
    var tasks: [Task<SMTPConnectFailure?, Never>] = []
    for number in 1...5 { tasks.append(try await queueUp(number)) }
    tasks[2].cancel()
    #expect(await tasks[2].value?.report.cause == .cancelled)
    open.finish()
    #expect(await holder.value == nil)
    for index in [0, 1, 3, 4] { #expect(await tasks[index].value == nil) }
    #expect(order.withLockedValue { $0 } == [1, 2, 4, 5])
    #expect(server.seen.connections == 1)
    await pool.shutdown()
}

@Test(.timeLimit(.minutes(1)))
private func `shutting down waits for what is lent and stops what is being opened`() async throws {
    var silent = Script()
    silent.greeting = []
    let server = try await ScriptedServer(Script(), silent)
    let pool = pool([server.target], PoolLimits(maximumConnections: 2))
    let (lent, isLent) = AsyncStream<Void>.makeStream()
    let (gate, open) = AsyncStream<Void>.makeStream()
    let holder = Task {
        await failure { () async throws(SMTPConnectFailure) in
            let report = try await pool.withConnection { connection in
                isLent.finish()
                for await _ in gate {}
                return await connection.deliver(makeEnvelope(), shortMessage)
            }
            #expect(report.verdict == .accepted)
        }
    }
    for await _ in lent {}
    let waiter = Task {
        await failure { () async throws(SMTPConnectFailure) in try await pool.withConnection { _ in } }
    }
    try await server.wait { $0.connections == 2 }
    let shutdown = Task { await pool.shutdown() }
    #expect(await waiter.value?.report.cause == .poolClosed)
    open.finish()
    #expect(await holder.value == nil)
    await shutdown.value
    #expect(pool.connectionCount == 0)
    try await server.wait { $0.closed == 2 }
}
