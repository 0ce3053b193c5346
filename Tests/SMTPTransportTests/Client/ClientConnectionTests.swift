import MailTypes
import NIOCore
import SMTPProtocol
import SMTPTransport
import Synchronization
import Testing

private typealias Script = ScriptedServer.Script
private typealias Step = ScriptedServer.Step

@Test(.timeLimit(.minutes(1)), arguments: [true, false], [true, false])
private func `messages go out on one connection`(isPipelining: Bool, isTrickling: Bool) async throws {
    var script = Script(keywords: isPipelining ? ["PIPELINING", "SIZE 1000"] : ["SIZE 1000"])
    script.isTrickling = isTrickling
    let server = try await ScriptedServer(script)
    let connection = try await open(server)
    #expect(connection.extensions.pipelining == isPipelining)
    for _ in 0..<3 {
        let report = await connection.deliver(makeEnvelope(), shortMessage)
        #expect(report.verdict == .accepted)
        #expect(report.reply == SMTPReply(250, EnhancedStatusCode("2.0.0"), "queued"))
        #expect(report.phase == .finalDot)
    }
    #expect(connection.isUsable)
    #expect(connection.deliveredCount == 3)
    await connection.quit()
    #expect(!connection.isUsable)

    let seen = server.seen
    let transaction = ["MAIL FROM:<b@bounce.example> SIZE=100", "RCPT TO:<ann@example.net>", "DATA"]
    #expect(seen.connections == 1)
    #expect(seen.commands == ["EHLO client.example"] + transaction + transaction + transaction + ["QUIT"])
    let contents = seen.contents.map { String(decoding: $0, as: UTF8.self) }
    #expect(contents == Array(repeating: shortMessageOnTheWire, count: 3))
    try await server.close()
}

@Test(.timeLimit(.minutes(1)))
private func `the null reverse path`() async throws {
    let server = try await ScriptedServer(Script())
    let connection = try await open(server)
    #expect(await connection.deliver(makeEnvelope(from: ""), shortMessage).verdict == .accepted)
    #expect(server.seen.commands.contains("MAIL FROM:<>"))
    await connection.quit()
}

@Test(.timeLimit(.minutes(1)))
private func `HELO where EHLO is unknown`() async throws {
    let server = try await ScriptedServer(Script { $0.hasPrefix("EHLO") ? [.write("500 what?\r\n")] : nil })
    let connection = try await open(server)
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    #expect(server.seen.commands.prefix(2) == ["EHLO client.example", "HELO client.example"])
    await connection.quit()
}

@Test(.timeLimit(.minutes(1)))
private func `a refused recipient does not spoil the connection`() async throws {
    let server = try await ScriptedServer(
        Script { $0.contains("nobody") ? [.write("550 5.1.1 unknown\r\n")] : nil })
    let connection = try await open(server)
    for _ in 0..<2 {
        let refused = await connection.deliver(makeEnvelope(to: "nobody@example.net"), shortMessage)
        #expect(refused.verdict == .permanent)
        #expect(refused.blame == .recipient)
        #expect(refused.enhanced == EnhancedStatusCode("5.1.1"))
        #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    }
    let contents = server.seen.contents.map { String(decoding: $0, as: UTF8.self) }
    #expect(contents == ["", shortMessageOnTheWire, "", shortMessageOnTheWire])
    await connection.quit()
}

// MARK: Connections that end

private struct Ending: CustomTestStringConvertible, Sendable {
    let at: String
    let steps: [Step]
    let verdict: DeliveryReport.Verdict
    let phase: SMTPPhase
    var keywords = ["PIPELINING"]
    var testDescription: String { "\(steps) at \(at), \(keywords)" }
}

private let endings: [Ending] = {
    let drops: [[Step]] = [[.close], [.reset], [.write("2"), .close], [.write("250-half\r\n25"), .close]]
    var list: [Ending] = []
    for keywords in [["PIPELINING"], ["HELP"]] {
        for drop in drops {
            list += [
                Ending(at: "MAIL", steps: drop, verdict: .temporary, phase: .mail, keywords: keywords),
                Ending(at: "RCPT", steps: drop, verdict: .temporary, phase: .rcpt, keywords: keywords),
                Ending(at: "DATA", steps: drop, verdict: .temporary, phase: .data, keywords: keywords),
                Ending(at: ".", steps: drop, verdict: .inDoubt, phase: .finalDot, keywords: keywords),
            ]
        }
    }
    return list
}()

@Test(.timeLimit(.minutes(1)), arguments: endings)
private func `only after the dot is there doubt`(ending: Ending) async throws {
    let server = try await ScriptedServer(
        Script(keywords: ending.keywords) { $0.hasPrefix(ending.at) ? ending.steps : nil })
    let connection = try await open(server)
    let report = await connection.deliver(makeEnvelope(), shortMessage)
    #expect(report.verdict == ending.verdict)
    #expect(report.cause == .connectionClosed)
    #expect(report.blame == .connection)
    #expect(report.reply == nil)
    // RST may overtake replies that came before it.
    if case .reset? = ending.steps.first {} else { #expect(report.phase == ending.phase) }
    #expect(!connection.isUsable)
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .temporary)
}

@Test(.timeLimit(.minutes(1)))
private func `421 in the middle of the pipeline`() async throws {
    let server = try await ScriptedServer(
        Script { $0.hasPrefix("RCPT") ? [.write("421 4.3.2 going down\r\n"), .close] : nil })
    let connection = try await open(server)
    let report = await connection.deliver(makeEnvelope(), shortMessage)
    #expect(report.verdict == .temporary)
    #expect(report.phase == .rcpt)
    #expect(report.blame == .connection)
    #expect(report.reply?.code == 421)
    #expect(!connection.isUsable)
}

@Test(
    .timeLimit(.minutes(1)),
    arguments: [
        ([Step.close], SMTPPhase.greeting, DeliveryReport.Cause.connectionClosed),
        ([.write("554 5.7.1 no\r\n")], .greeting, .refused),
        ([.writeTimes(300, "220 \(String(repeating: "x", count: 1_000))")], .greeting, .malformedReply),
        ([.writeTimes(300, "220-\(String(repeating: "x", count: 1_000))\r\n")], .greeting, .malformedReply),
        ([.write("220 a\r\n220 b\r\n")], .greeting, .protocolViolation),
        ([.write("220 a\r\n"), .close], .ehlo, .connectionClosed),
    ])
private func `a connection that does not come about`(
    greeting: [Step], phase: SMTPPhase, cause: DeliveryReport.Cause
) async throws {
    var script = Script()
    script.greeting = greeting
    let server = try await ScriptedServer(script)
    let error = await failure { () async throws(SMTPConnectFailure) in _ = try await open(server) }
    #expect(error?.phase == phase)
    #expect(error?.report.cause == cause)
    #expect(error?.verdict == .temporary)
    #expect(error?.report.blame == .connection)
    #expect(error?.host == "mx.example")
    try await server.wait { $0.closed == 1 }
}

@Test(.timeLimit(.minutes(1)))
private func `nobody listens`() async throws {
    let server = try await ScriptedServer(Script())
    try await server.close()
    let error = await failure { () async throws(SMTPConnectFailure) in _ = try await open(server) }
    #expect(error?.phase == .connect)
    #expect(error?.report.cause == .unreachable)
}

// MARK: Waiting

@Test(
    .timeLimit(.minutes(1)),
    arguments: [
        ("MAIL", DeliveryReport.Verdict.temporary, SMTPPhase.mail), ("RCPT", .temporary, .rcpt),
        ("DATA", .temporary, .data), (".", .inDoubt, .finalDot),
    ])
private func `silence ends at the time-out`(
    at: String, verdict: DeliveryReport.Verdict, phase: SMTPPhase
) async throws {
    // A part of a reply must not stretch the time.
    let server = try await ScriptedServer(Script(keywords: ["HELP"]) { $0.hasPrefix(at) ? [.write("250-")] : nil })
    let configuration = clientConfiguration { timeouts in
        switch phase {
        case .mail: timeouts.mail = .milliseconds(50)
        case .rcpt: timeouts.rcpt = .milliseconds(50)
        case .data: timeouts.data = .milliseconds(50)
        default: timeouts.finalDot = .milliseconds(50)
        }
    }
    let connection = try await open(server, configuration)
    let report = await connection.deliver(makeEnvelope(), shortMessage)
    #expect(report.verdict == verdict)
    #expect(report.phase == phase)
    #expect(report.cause == .timedOut)
    try await server.wait { $0.closed == 1 }
}

@Test(.timeLimit(.minutes(1)))
private func `a silent server is not waited for`() async throws {
    var script = Script()
    script.greeting = []
    let server = try await ScriptedServer(script)
    let configuration = clientConfiguration { $0.greeting = .milliseconds(50) }
    let error = await failure { () async throws(SMTPConnectFailure) in _ = try await open(server, configuration) }
    #expect(error?.phase == .greeting)
    #expect(error?.report.cause == .timedOut)
}

@Test(.timeLimit(.minutes(1)))
private func `a server that stops reading is given up, without doubt`() async throws {
    let server = try await ScriptedServer(
        Script { $0 == "DATA" ? [.write("354 go\r\n"), .stopReading] : nil })
    let connection = try await open(server, clientConfiguration { $0.block = .milliseconds(100) })
    let big = OutgoingMessage(content: [UInt8](repeating: UInt8(ascii: "x"), count: 64 * 1_024 * 1_024))
    let report = await connection.deliver(makeEnvelope(), big)
    #expect(report.verdict == .temporary)
    #expect(report.phase == .content)
    #expect(report.cause == .timedOut)
}

@Test(
    .timeLimit(.minutes(1)),
    arguments: [("RCPT", DeliveryReport.Verdict.temporary), (".", .inDoubt)])
private func `a cancelled delivery`(at: String, verdict: DeliveryReport.Verdict) async throws {
    let server = try await ScriptedServer(Script(keywords: ["HELP"]) { $0.hasPrefix(at) ? [] : nil })
    let connection = try await open(server)
    let delivery = Task { await connection.deliver(makeEnvelope(), shortMessage) }
    try await server.wait { at == "." ? $0.contents.count == 1 : $0.commands.contains { $0.hasPrefix(at) } }
    delivery.cancel()
    let report = await delivery.value
    #expect(report.verdict == verdict)
    #expect(report.cause == .cancelled)
    #expect(!connection.isUsable)
    try await server.wait { $0.closed == 1 }
}

@Test(.timeLimit(.minutes(1)))
private func `a delivery that is cancelled before it starts sends nothing`() async throws {
    let server = try await ScriptedServer(Script())
    let connection = try await open(server)
    let (cancelled, signal) = AsyncStream<Void>.makeStream()
    let delivery = Task {
        for await _ in cancelled {}
        return await connection.deliver(makeEnvelope(), shortMessage)
    }
    delivery.cancel()
    signal.finish()
    let report = await delivery.value
    #expect(report.verdict == .temporary)
    #expect(report.cause == .cancelled)
    #expect(connection.isUsable)
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    #expect(server.seen.contents.count == 1)
    await connection.quit()
}

@Test(.timeLimit(.minutes(1)), arguments: [10, 300_000])
private func `a message that must not end has no final dot`(size: Int) async throws {
    let server = try await ScriptedServer(Script())
    let connection = try await open(server)
    let asked = Mutex(0)
    let content = [UInt8](repeating: UInt8(ascii: "a"), count: size) + Array("\r\n".utf8)
    func message(mayEnd: Bool) -> OutgoingMessage {
        OutgoingMessage(content: content) {
            asked.withLock { $0 += 1 }
            return mayEnd
        }
    }
    #expect(await connection.deliver(makeEnvelope(), message(mayEnd: true)).verdict == .accepted)
    let report = await connection.deliver(makeEnvelope(), message(mayEnd: false))
    #expect(report.verdict == .temporary && report.cause == .cancelled && report.phase == .content)
    #expect(!connection.isUsable)
    try await server.close()
    #expect(asked.withLock { $0 } == 2)
    #expect(server.seen.contents.count == 1)
}

/// Of a thousand connections most wait for an answer: their messages would be most of a node's memory.
@Test(.timeLimit(.minutes(1)))
private func `a message is let go once it is written`() async throws {
    final class Part: Sendable {}
    struct Held { weak var part: Part? }
    let held = Mutex(Held())
    @Sendable func message() -> OutgoingMessage {
        let part = Part()
        held.withLock { $0.part = part }
        return OutgoingMessage(content: shortMessage.content) { withExtendedLifetime(part) { true } }
    }
    let server = try await ScriptedServer(
        Script { line in
            if line == "DATA" { #expect(held.withLock { $0.part } != nil) }
            return line == "." ? [] : nil
        })
    let connection = try await open(server)
    let delivery = Task { await connection.deliver(makeEnvelope(), message()) }
    try await server.wait { $0.contents.count == 1 }
    while held.withLock({ $0.part }) != nil { try await Task.sleep(for: .milliseconds(5)) }
    delivery.cancel()
    #expect(await delivery.value.verdict == .inDoubt)
}

@Test(.timeLimit(.minutes(1)))
private func `a cancelled connection attempt`() async throws {
    var script = Script()
    script.greeting = []
    let server = try await ScriptedServer(script)
    let attempt = Task { await failure { () async throws(SMTPConnectFailure) in _ = try await open(server) } }
    try await server.wait { $0.connections == 1 }
    attempt.cancel()
    #expect(await attempt.value?.report.cause == .cancelled)
    try await server.wait { $0.closed == 1 }
}

@Test(.timeLimit(.minutes(1)))
private func `a connection that is dropped is closed`() async throws {
    let server = try await ScriptedServer(Script())
    do {
        let connection = try await open(server)
        withExtendedLifetime(connection) { #expect(server.seen.closed == 0) }
    }
    try await server.wait { $0.closed == 1 }
}

// MARK: Content

@Test(.timeLimit(.minutes(1)))
private func `whatever the content, it arrives as one message`() async throws {
    let server = try await ScriptedServer(Script())
    let connection = try await open(server)
    let alphabet = Array("\r\r\n\n..ab".utf8)
    for count in 0..<150 {
        let content = (0..<count).map { _ in alphabet.randomElement() ?? 0 }
        let split = Int.random(in: 0...count)
        let message = OutgoingMessage(header: Array(content[..<split]), content: Array(content[split...]))
        #expect(await connection.deliver(makeEnvelope(), message).verdict == .accepted)
    }
    let seen = server.seen
    #expect(seen.contents.count == 150)
    #expect(seen.commands.count == 1 + 3 * 150)
    await connection.quit()
}

@Test(.timeLimit(.minutes(1)), arguments: [131_070, 131_071, 131_072, 131_073, 131_074, 800_000])
private func `a message of several blocks`(size: Int) async throws {
    let server = try await ScriptedServer(Script())
    let connection = try await open(server)
    let header = Array("DKIM-Signature: v=1\r\n".utf8)
    // Lines of seven octets, each with a dot in front: stuffing falls on every place around the block's end.
    let line = Array(".abcd\r\n".utf8)
    let content = (0..<((size - header.count) / line.count)).flatMap { _ in line }
    let message = OutgoingMessage(header: header, content: content)
    #expect(await connection.deliver(makeEnvelope(), message).verdict == .accepted)
    let expected = header + (0..<(content.count / line.count)).flatMap { _ in [UInt8(ascii: ".")] + line }
    let isWhole = server.seen.contents == [expected]
    #expect(isWhole)
    await connection.quit()
}

// MARK: AUTH

@Test(.timeLimit(.minutes(1)))
private func `AUTH PLAIN`() async throws {
    let server = try await ScriptedServer(
        Script(keywords: ["AUTH PLAIN LOGIN"]) { $0.hasPrefix("AUTH") ? [.write("235 welcome\r\n")] : nil })
    let credentials = SMTPCredentials(username: "user", password: "secret", allowsPlaintext: true)
    let connection = try await open(server, clientConfiguration(credentials: credentials))
    #expect(server.seen.commands == ["EHLO client.example", "AUTH PLAIN AHVzZXIAc2VjcmV0"])
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    await connection.quit()
}

@Test(.timeLimit(.minutes(1)))
private func `AUTH LOGIN`() async throws {
    let server = try await ScriptedServer(
        Script(keywords: ["AUTH LOGIN"]) { line in
            switch line {
            case "AUTH LOGIN": [.write("334 VXNlcm5hbWU6\r\n")]
            case "dXNlcg==": [.write("334 UGFzc3dvcmQ6\r\n")]
            case "c2VjcmV0": [.write("235 welcome\r\n")]
            default: nil
            }
        })
    let credentials = SMTPCredentials(username: "user", password: "secret", allowsPlaintext: true)
    let connection = try await open(server, clientConfiguration(credentials: credentials))
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    await connection.quit()
}

@Test(.timeLimit(.minutes(1)))
private func `a password never goes in plaintext`() async throws {
    let server = try await ScriptedServer(Script(keywords: ["AUTH PLAIN LOGIN"]))
    let configuration = clientConfiguration(credentials: SMTPCredentials(username: "user", password: "secret"))
    let error = await failure { () async throws(SMTPConnectFailure) in _ = try await open(server, configuration) }
    #expect(error?.report.cause == .authOnPlaintext)
    try await server.wait { $0.closed == 1 }
    #expect(server.seen.commands == ["EHLO client.example", "QUIT"])
}

// MARK: The next transaction announced

private let nextEnvelope = makeEnvelope(to: "ben@example.net", from: "b-2@bounce.example")

private func message(before next: SMTPEnvelope?) -> OutgoingMessage {
    OutgoingMessage(content: Array("Subject: hi\r\n".utf8), next: { next })
}

@Test(.timeLimit(.minutes(1)))
private func `a server hears of the next mail before it answers a content`() async throws {
    let answered = Mutex(0)
    let server = try await ScriptedServer(
        Script { line in
            switch line {
            // To the second content once the third mail is announced.
            case ".":
                return answered.withLock { count in
                    count += 1
                    return count == 2 ? [] : nil
                }
            case "MAIL FROM:<b-2@bounce.example>": return [.write("250 2.0.0 queued\r\n250 2.1.0 ok\r\n")]
            default: return nil
            }
        })
    let connection = try await open(server)
    #expect(await connection.deliver(makeEnvelope(), message(before: nil)).verdict == .accepted)
    #expect(await connection.deliver(makeEnvelope(), message(before: nextEnvelope)).verdict == .accepted)
    #expect(await connection.deliver(nextEnvelope, message(before: nil)).verdict == .accepted)
    #expect(server.seen.contents.count == 3 && server.seen.commands.count { $0.hasPrefix("MAIL") } == 3)
    await connection.quit()
    #expect(server.seen.commands.last == "QUIT")
}

@Test(.timeLimit(.minutes(1)), arguments: [10, 300_000])
private func `a mail that must not end announces none`(size: Int) async throws {
    let server = try await ScriptedServer(Script())
    let connection = try await open(server)
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    let content = [UInt8](repeating: UInt8(ascii: "a"), count: size) + Array("\r\n".utf8)
    let isAsked = Mutex(false)
    let unsent = OutgoingMessage(
        content: content, mayEnd: { false },
        next: {
            isAsked.withLock { $0 = true }
            return nextEnvelope
        })
    #expect(await connection.deliver(makeEnvelope(), unsent).cause == .cancelled)
    #expect(isAsked.withLock { !$0 })
    try await server.wait { $0.closed == 1 }
    #expect(server.seen.contents.count == 1 && server.seen.commands.count { $0.hasPrefix("MAIL") } == 2)
}

@Test(.timeLimit(.minutes(1)))
private func `a mail that is announced and not sent leaves no trace at the server`() async throws {
    let server = try await ScriptedServer(Script())
    let connection = try await open(server)
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    #expect(await connection.deliver(makeEnvelope(), message(before: nextEnvelope)).verdict == .accepted)
    connection.close()
    try await server.wait { $0.closed == 1 }
    #expect(server.seen.contents.count == 2)
}

@Test(.timeLimit(.minutes(1)))
private func `a mail that is announced and then cancelled closes its connection`() async throws {
    let server = try await ScriptedServer(Script())
    let connection = try await open(server)
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    #expect(await connection.deliver(makeEnvelope(), message(before: nextEnvelope)).verdict == .accepted)
    let (cancelled, signal) = AsyncStream<Void>.makeStream()
    let delivery = Task {
        for await _ in cancelled {}
        return await connection.deliver(nextEnvelope, shortMessage)
    }
    delivery.cancel()
    signal.finish()
    #expect(await delivery.value.cause == .cancelled)
    #expect(!connection.isUsable)
    try await server.wait { $0.closed == 1 }
    #expect(server.seen.contents.count == 2)
}

@Test(.timeLimit(.minutes(1)))
private func `a trace does not show whom an announced mail is for`() async throws {
    let server = try await ScriptedServer(
        Script { $0.hasPrefix("MAIL FROM:<b-2@") ? [.write("250 2.1.0 ben may have it\r\n")] : nil })
    let hub = SMTPTraceHub()
    let lines = hub.listen(to: "")
    var configuration = clientConfiguration()
    configuration.trace = SMTPTrace(hub: hub, lane: "lane") { _ in true }
    let connection = try await open(server, configuration)
    #expect(await connection.deliver(makeEnvelope(), shortMessage).verdict == .accepted)
    #expect(await connection.deliver(makeEnvelope(), message(before: nextEnvelope)).verdict == .accepted)
    #expect(await connection.deliver(nextEnvelope, shortMessage).verdict == .accepted)
    await connection.quit()
    var heard: [String] = []
    for await line in lines {
        heard.append(line.text)
        if line.text == "connection closed" { break }
    }
    #expect(heard.contains("250 2.1.0 *** may have it"))
    #expect(heard.count { $0 == "RCPT TO:<***@example.net>" } == 3)
    #expect(!heard.contains { $0.contains("ben") || $0.contains("ann") })
}
