import NIOCore
import SMTPProtocol

/// libFuzzer's entry: any octets are what a client says to the mail server of the return paths. In which pieces they come
/// changes nothing but where it has to wait for an answer; content ends where RFC 5321 says and nowhere else, and what is
/// kept of it is what a simpler reader finds. Built and run by `make fuzz`; what it finds becomes a test.
@_cdecl("LLVMFuzzerTestOneInput")
public func sayAnything(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    guard let start, count > 1 else { return 0 }
    let octets = Array(UnsafeBufferPointer(start: start, count: count))
    var byOctet = Conversation(octets[0])
    var byLine = Conversation(octets[0])
    var atOnce = Conversation(octets[0])
    for octet in octets.dropFirst() { byOctet.send([octet]) }
    for line in lines(octets.dropFirst()) { byLine.send(line) }
    atOnce.send(octets.dropFirst())
    precondition(byOctet.said == byLine.said, "the answers depend on the pieces")
    return 0
}

/// Each with its line feed.
private func lines(_ octets: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    var lines: [ArraySlice<UInt8>] = []
    var rest = octets
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
        lines.append(rest[...end])
        rest = rest[(end + 1)...]
    }
    return lines + [rest]
}

/// A session that agrees to nearly everything, with bounds so small that inputs reach them.
private struct Conversation {
    private var machine: SMTPServerStateMachine
    private var input = ByteBuffer()
    private let kept: Int
    /// Content of the present message as it came; only where it comes octet by octet.
    private var raw: [UInt8] = []
    private var piece = 0
    private(set) var said: [UInt8] = []

    private static let profile = {
        var profile = SMTPServerProfile(hostname: "mx.example.org")
        profile.offersTLS = true
        profile.maximumMessageOctets = 2_000
        profile.limits.textLineOctets = 200
        profile.limits.recipients = 3
        return profile
    }()

    /// - Parameter choice: how much of messages is kept.
    init(_ choice: UInt8) {
        machine = SMTPServerStateMachine(Self.profile)
        kept = choice < 128 ? Self.profile.maximumMessageOctets : Int(choice)
        perform(machine.greet())
    }

    mutating func send(_ octets: some Collection<UInt8>) {
        piece = octets.count
        if machine.isReceivingContent { raw += octets }
        input.writeBytes(octets)
        while let step = machine.next(&input) { perform(step) }
    }

    private mutating func say(_ reply: SMTPReply) {
        var output = ByteBuffer()
        reply.encode(into: &output)
        precondition((200...599).contains(reply.code))
        let text = Array(output.readableBytesView)
        precondition(text.suffix(2) == [0x0D, 0x0A] && text.allSatisfy { $0 >= 0x20 || $0 == 0x0D || $0 == 0x0A })
        said += text
    }

    private mutating func perform(_ step: SMTPServerStep) {
        switch step {
        case .reply(let reply): say(reply)
        case .close(let reply): if let reply { say(reply) }
        case .startTLS(let reply):
            say(reply)
            machine.tlsEstablished()
        case .refuseContent(let fault, let reply):
            if piece == 1 { precondition(Content(raw)?.isFaulty == true, "sound content was refused: \(fault)") }
            say(reply)
        case .hello, .mail: perform(machine.answer(SMTPReply(250, nil, "OK")))
        case .recipient(let path):
            let isKnown = !path.text.isEmpty && path.domain.utf8.count % 5 != 4
            perform(machine.answer(isKnown ? SMTPReply(250, nil, "OK") : SMTPReply(550, nil, "No such mailbox")))
        case .data:
            raw = []
            perform(machine.acceptData(retaining: .beginning(kept), pendingOctets: input.readableBytes))
        case .message(let message):
            if piece == 1 { check(message) }
            said += Array(message.content.readableBytesView)
            perform(machine.answer(SMTPReply(250, nil, "OK: noted")))
        }
    }

    private func check(_ message: SMTPReceivedMessage) {
        guard let content = Content(raw), !content.isFaulty else { preconditionFailure("faulty content was taken") }
        precondition(message.octets == content.octets.count)
        precondition(content.octets.prefix(kept).elementsEqual(message.content.readableBytesView))
    }

    /// Content up to its end, read in the simplest way.
    private struct Content {
        let octets: [UInt8]
        let isFaulty: Bool

        /// Nil where it has no end, or had one before.
        init?(_ raw: [UInt8]) {
            let lines = Self.lines(raw)
            guard lines.count >= 2, lines[lines.count - 1].isEmpty, lines[lines.count - 2] == [0x2E],
                lines.dropLast(2).allSatisfy({ $0 != [0x2E] })
            else { return nil }
            let content = lines.dropLast(2).map { $0.first == 0x2E ? Array($0.dropFirst()) : $0 }
            octets = content.flatMap { $0 + [0x0D, 0x0A] }
            isFaulty =
                octets.count > profile.maximumMessageOctets
                || content.contains { line in
                    line.count > profile.limits.textLineOctets - 2 || line.contains(0x0D) || line.contains(0x0A)
                }
        }

        /// Between pairs of CR and LF.
        private static func lines(_ raw: [UInt8]) -> [[UInt8]] {
            var lines: [[UInt8]] = [[]]
            for octet in raw {
                if octet == 0x0A, lines[lines.count - 1].last == 0x0D {
                    lines[lines.count - 1].removeLast()
                    lines.append([])
                } else {
                    lines[lines.count - 1].append(octet)
                }
            }
            return lines
        }
    }
}
