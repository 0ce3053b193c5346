import MailTypes
import NIOCore
import SMTPProtocol
import TestSupport
import Testing

private struct ReplyFixture: CustomTestStringConvertible, Sendable {
    let input: String
    /// nil: incomplete
    let reply: SMTPReply?
    var error: SMTPReplyError?
    var testDescription: String { input.prefix(60).debugDescription }
}

private func reads(_ input: String, _ code: Int, _ enhanced: String? = nil, _ lines: String...) -> ReplyFixture {
    ReplyFixture(input: input, reply: SMTPReply(code, enhanced.flatMap { EnhancedStatusCode($0) }, lines))
}
private func waits(_ input: String) -> ReplyFixture { ReplyFixture(input: input, reply: nil) }
private func refuses(_ input: String, _ error: SMTPReplyError = .malformed) -> ReplyFixture {
    ReplyFixture(input: input, reply: nil, error: error)
}

private let fixtures: [ReplyFixture] = [
    reads("250 ok\r\n", 250, nil, "ok"),
    reads("250\r\n", 250, nil, ""),
    reads("250 \r\n", 250, nil, ""),
    reads("250 ok\n", 250, nil, "ok"),
    reads("250-a\r\n250-\r\n250 b\r\n", 250, nil, "a", "", "b"),
    reads("250-a\r\n250\r\n", 250, nil, "a", ""),
    reads("550 5.1.1 no such user\r\n", 550, "5.1.1", "no such user"),
    reads("550 5.1.1\r\n", 550, "5.1.1", ""),
    reads("550-5.1.1 no\r\n550 5.1.1  user\r\n", 550, "5.1.1", "no", "user"),
    reads("550-5.1.1 no\r\n550 5.7.1 user\r\n", 550, "5.1.1", "no", "5.7.1 user"),
    reads("550-no\r\n550 5.7.1 user\r\n", 550, nil, "no", "5.7.1 user"),
    reads("451 4.300.999 x\r\n", 451, "4.300.999", "x"),
    reads("550 5.1.1.1 address\r\n", 550, nil, "5.1.1.1 address"),
    reads("550 5.1 x\r\n", 550, nil, "5.1 x"),
    reads("550 5.1.1000 x\r\n", 550, nil, "5.1.1000 x"),
    reads("550 3.1.1 x\r\n", 550, nil, "3.1.1 x"),
    reads("550 5.1.1: x\r\n", 550, nil, "5.1.1: x"),
    reads("250 a\u{0}b\tc\u{7F}d\r\r\n", 250, nil, "a?b?c?d?"),
    reads("250 Grüße \u{85}\r\n", 250, nil, "Grüße ?"),
    // As the field writes them.
    reads("\r\n250 ok\r\n", 250, nil, "ok"),
    reads("\n\n250 ok\n", 250, nil, "ok"),
    reads("** checked by filter **\r\n250 2.0.0 queued\r\n", 250, "2.0.0", "queued"),
    reads("25\r\n250 ok\r\n", 250, nil, "ok"),
    reads("150 working\r\n650 x\r\n2500 x\r\n250 ok\r\n", 250, nil, "ok"),
    reads("250-a\r\n\r\nb\r\n250 c\r\n", 250, nil, "a", "c"),
    reads("250OK\r\n", 250, nil, "OK"),
    reads("250OK id=1\r\n", 250, nil, "OK id=1"),
    reads("250.\r\n", 250, nil, "."),
    reads("250\tok\r\n", 250, nil, "ok"),
    reads("550\t5.1.1 no such user\r\n", 550, "5.1.1", "no such user"),
    reads("250\u{A0}ok\r\n", 250, nil, "\u{A0}ok"),
    reads("550-5.1.1 first\r\n554 5.1.1 then another\r\n", 554, "5.1.1", "first", "then another"),
    reads("550-5.1.1 first\r\n554 5.7.1 then another\r\n", 554, "5.7.1", "first", "then another"),
    reads("550-5.1.1 first\r\n554 then another\r\n", 554, "5.1.1", "first", "then another"),
    reads("250-2.0.0 first\r\n451 then another\r\n", 451, nil, "first", "then another"),
    reads("550-first\r\n250 2.0.0 queued\r\n", 250, "2.0.0", "first", "queued"),
    reads("250-a\r\n251-b\r\n250 c\r\n", 250, nil, "a", "b", "c"),
    reads("250 " + String(repeating: "x", count: 2_043) + "\r\n", 250, nil, String(repeating: "x", count: 2_043)),
    reads("250 " + String(repeating: "x", count: 2_045) + "\r\n", 250, nil, String(repeating: "x", count: 2_044)),
    reads("250 " + String(repeating: "x", count: 90_000) + "\r\n", 250, nil, String(repeating: "x", count: 2_044)),
    reads(
        "554-" + String(repeating: "x", count: 9_000) + "\r\n554 5.7.1 y\r\n", 554, nil,
        String(repeating: "x", count: 2_044), "5.7.1 y"),
    reads(String(repeating: "=", count: 9_000) + "\r\n250 ok\r\n", 250, nil, "ok"),
    ReplyFixture(
        input: String(repeating: "250-a\r\n", count: 1_000) + "250 b\r\n",
        reply: SMTPReply(250, nil, Array(repeating: "a", count: 128))),
    waits(""), waits("\r\n"), waits("25\r\n"), waits("ok\r\n"), waits("150 x\r\n"), waits("2x0 x\r\n"),
    waits(" 250 x\r\n"), waits("250-a\r\nb\r\n"), waits(String(repeating: "2", count: 2_049)),
    waits(String(repeating: "\r\n", count: 32)), waits("2"), waits("250"), waits("250 ok"), waits("250 ok\r"),
    waits("250-a\r\n"), waits("250-a\r\n25"),
    refuses(String(repeating: "\r\n", count: 33), .tooManyStrayLines),
    refuses(String(repeating: String(repeating: "x", count: 4_094) + "\r\n", count: 5), .tooManyStrayLines),
    refuses(String(repeating: "2", count: 262_145), .replyTooLong),
    refuses(String(repeating: "250-a\r\n", count: 37_450), .replyTooLong),
    reads("250 " + String(repeating: "x", count: 2_042) + "\r\n", 250, nil, String(repeating: "x", count: 2_042)),
]

/// What is forgiven elsewhere and not while TLS is being set up.
private let strictFixtures: [ReplyFixture] = [
    reads("220 go\r\n", 220, nil, "go"),
    reads("220-a\r\n220 b\n", 220, nil, "a", "b"),
    reads("220\r\n", 220, nil, ""),
    waits("22"),
    refuses("\r\n220 go\r\n"), refuses("note\r\n220 go\r\n"), refuses("220\tgo\r\n"), refuses("220go\r\n"),
    refuses("220-a\r\n221 b\r\n"), refuses("220-a\r\n\r\n220 b\r\n"),
    refuses(String(repeating: "2", count: 2_049), .lineTooLong),
    refuses("220 " + String(repeating: "x", count: 2_043) + "\r\n", .lineTooLong),
    refuses(String(repeating: "220-a\r\n", count: 129), .tooManyLines),
]

@Test(arguments: strictFixtures)
private func `a strict reader forgives nothing`(fixture: ReplyFixture) {
    let expected: Result<SMTPReply?, SMTPReplyError> = fixture.error.map { .failure($0) } ?? .success(fixture.reply)
    #expect(parse([ByteBuffer(string: fixture.input)], strictly: true) == expected)
    #expect(parse(fixture.input.utf8.map { ByteBuffer(bytes: [$0]) }, strictly: true) == expected)
}

@Test(
    arguments: [
        ("", false), ("\r\n", false), ("\r", false), ("note\r\n", false), ("note", false), ("25\r\n", false),
        ("2500\r\n", false), ("2500", false), ("2", true), ("250", true), ("250\r", true), ("250\r\n", true),
        ("250 ok\r\n", true), ("note\r\n250 ok\r\n", true), ("\r\n25", true), ("250OK\r\n", true),
    ])
private func `what follows a reply is another one or is none`(rest: String, isReply: Bool) throws {
    var parser = SMTPReplyParser()
    parser.append(ByteBuffer(string: "250 ok\r\n" + rest))
    #expect(try parser.next()?.code == 250)
    #expect(parser.holdsFurtherReply == isReply)
    #expect(parser.hasUnreadInput == !rest.isEmpty)
}

@Test
private func `stray lines count from one reply to the next`() throws {
    var parser = SMTPReplyParser()
    for _ in 0..<1_000 {
        parser.append(ByteBuffer(string: "\r\n\r\n250 ok\r\n"))
        #expect(try parser.next()?.code == 250)
    }
}

@Test(arguments: fixtures)
private func `a reply is read`(fixture: ReplyFixture) {
    let expected: Result<SMTPReply?, SMTPReplyError> = fixture.error.map { .failure($0) } ?? .success(fixture.reply)
    #expect(parse([ByteBuffer(string: fixture.input)]) == expected)
    #expect(parse(fixture.input.utf8.map { ByteBuffer(bytes: [$0]) }) == expected)
}

private func parse(_ packets: [ByteBuffer], strictly: Bool = false) -> Result<SMTPReply?, SMTPReplyError> {
    var parser = SMTPReplyParser()
    do throws(SMTPReplyError) {
        for packet in packets {
            parser.append(packet)
            if let reply = try parser.next(strictly: strictly) { return .success(reply) }
        }
        return .success(nil)
    } catch {
        return .failure(error)
    }
}

@Test
private func `invalid UTF-8 is repaired`() throws {
    var parser = SMTPReplyParser()
    parser.append(ByteBuffer(bytes: Array("250 a".utf8) + [0xFF, 0xC3] + Array("\r\n".utf8)))
    #expect(try parser.next()?.lines == ["a\u{FFFD}\u{FFFD}"])
}

@Test
private func `unread input is known`() throws {
    var parser = SMTPReplyParser()
    #expect(!parser.hasUnreadInput)
    parser.append(ByteBuffer(string: "250 a\r\n250-b\r\n"))
    #expect(try parser.next() != nil)
    #expect(parser.hasUnreadInput)
    #expect(try parser.next() == nil)
    #expect(parser.hasUnreadInput, "a line of a reply that goes on")
    parser.append(ByteBuffer(string: "250 b\r\n"))
    #expect(try parser.next() != nil)
    #expect(!parser.hasUnreadInput)
}

@Test(arguments: ["250 2.0.0 queued\r\n", "250-2.0.0 queued\r\n250 2.0.0 as 1\r\n"])
private func `the bounds are those of one reply, not of the session`(reply: String) throws {
    var parser = SMTPReplyParser()
    for _ in 0..<5_000 {
        parser.append(ByteBuffer(string: reply))
        #expect(try parser.next()?.code == 250)
    }
}

@Test
private func `a reply survives the wire`() throws {
    let replies = [
        SMTPReply(250, nil, "ok"), SMTPReply(250), SMTPReply(550, EnhancedStatusCode("5.1.1"), ["a", "b", ""]),
        SMTPReply(421, EnhancedStatusCode("4.3.2"), "bye"),
    ]
    var buffer = ByteBuffer()
    for reply in replies { reply.encode(into: &buffer) }
    var parser = SMTPReplyParser()
    parser.append(buffer)
    for reply in replies {
        let lines = reply.lines.isEmpty ? [""] : reply.lines
        #expect(try parser.next() == SMTPReply(reply.code, reply.enhanced, lines))
    }
    #expect(!parser.hasUnreadInput)
}

@Test
private func `a line end cannot be smuggled into a reply`() {
    var buffer = ByteBuffer()
    SMTPReply(550, nil, "no <a\r\n250 ok\r\n\u{0}>").encode(into: &buffer)
    #expect(String(buffer: buffer) == "550 no <a??250 ok???>\r\n")
}

/// Random bytes from an alphabet that makes replies likely: nothing crashes, and whatever comes out is within bounds.
@Test(arguments: Seed.range(1..<201))
private func `random bytes are replies or errors`(seed: Seed) {
    var random = SeededGenerator(seed)
    let alphabet = Array("22334455001 --..\r\n\n\u{0}abcé".utf8) + [0xFF]
    var parser = SMTPReplyParser()
    let limits = SMTPLimits.standard
    for _ in 0..<50 {
        let count = Int.random(in: 0...80, using: &random)
        parser.append(ByteBuffer(bytes: (0..<count).map { _ in alphabet.randomElement(using: &random) ?? 0 }))
        do {
            while let reply = try parser.next() {
                #expect((200...599).contains(reply.code))
                #expect(reply.lines.count <= limits.replyLines)
                #expect(!reply.text.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) })
            }
        } catch {
            return
        }
    }
}

/// A server that says anything: the machine answers each delivery with exactly one report, never two, and is never in
/// doubt before the content went out.
@Test(arguments: Seed.range(1..<501))
private func `a mad server gets sane verdicts`(seed: Seed) {
    var random = SeededGenerator(seed)
    let lines = [
        "220 hi", "250 ok", "250 ok", "250-PIPELINING", "250 PIPELINING", "354 go", "354 go", "550 5.1.1 no",
        "451 4.3.0 later", "421 bye", "250-", "334 x", "what", "235 ok", "503 x",
    ]
    var machine = SMTPClientStateMachine(.init(heloName: "client.example"))
    var isOpen = false
    var isDelivering = false
    var contentWasHandedOver = false

    func check(_ report: DeliveryReport) {
        #expect(isDelivering)
        isDelivering = false
        if report.verdict == .inDoubt || report.verdict == .accepted { #expect(contentWasHandedOver) }
    }
    func run(_ first: SMTPClientStateMachine.Action, _ machine: inout SMTPClientStateMachine) {
        var action = first
        while action != .wait {
            switch action {
            case .opened: isOpen = true
            case .report(let report, _): check(report)
            case .sendContent:
                contentWasHandedOver = true
                machine.contentHandedOver()
            case .fail: #expect(!isOpen)
            case .startTLS: run(machine.tlsEstablished(), &machine)
            case .send, .close, .wait: break
            }
            action = machine.next()
        }
    }

    // A sane opening for half of the runs, so that transactions are reached.
    if seed.value.isMultiple(of: 2) {
        for line in ["220 hi", "250-mx\r\n250 PIPELINING"] {
            machine.receive(ByteBuffer(string: line + "\r\n"))
            run(machine.next(), &machine)
        }
        #expect(isOpen)
    }
    for _ in 0..<60 {
        if isOpen, !isDelivering {
            isDelivering = true
            contentWasHandedOver = false
            run(machine.deliver(makeEnvelope()), &machine)
        }
        machine.receive(ByteBuffer(string: (lines.randomElement(using: &random) ?? "") + "\r\n"))
        run(machine.next(), &machine)
    }
    run(machine.ended(.connectionClosed), &machine)
    #expect(!isDelivering)
    let isClosed = machine.isClosed
    #expect(isClosed)
}
