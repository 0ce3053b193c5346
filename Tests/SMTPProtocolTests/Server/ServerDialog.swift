import NIOCore
import SMTPProtocol

/// Plays input against a bare server machine that agrees to everything, and writes down what it says.
struct ServerDialog {
    var machine: SMTPServerStateMachine
    /// All replies as they would go over the wire.
    var output = ByteBuffer()
    /// The content of each message that came to its end and was accepted.
    var messages: [String] = []
    var recipients: [String] = []
    var faults: [SMTPContentFault] = []
    var tlsStarts = 0
    /// Refuses recipients that contain this.
    var refusedRecipient: String?
    private var input = ByteBuffer()

    init(_ profile: SMTPServerProfile = ServerDialog.profile) {
        machine = SMTPServerStateMachine(profile)
        perform(machine.greet())
    }

    static var profile: SMTPServerProfile {
        var profile = SMTPServerProfile(hostname: "mx.example.org")
        profile.offersTLS = true
        profile.maximumMessageOctets = 10_000
        return profile
    }

    var text: String { String(buffer: output) }

    /// The code of each reply, without those of continuation lines.
    var codes: [Int] {
        text.split(separator: "\r\n").filter { $0.utf8.dropFirst(3).first != UInt8(ascii: "-") }
            .compactMap { Int($0.prefix(3)) }
    }

    mutating func send(_ text: String) { send(Array(text.utf8)) }

    mutating func send(_ bytes: [UInt8]) {
        input.writeBytes(bytes)
        while let step = machine.next(&input) { perform(step) }
    }

    /// One write for each line, as a client does that waits for each answer.
    mutating func sendLines(_ lines: String...) {
        for line in lines { send(line + "\r\n") }
    }

    /// From a fresh connection to the `354`.
    mutating func openData() {
        sendLines("EHLO client.example", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.net>", "DATA")
    }

    private mutating func perform(_ step: SMTPServerStep) {
        switch step {
        case .reply(let reply): reply.encode(into: &output)
        case .close(let reply): reply?.encode(into: &output)
        case .startTLS(let reply):
            reply.encode(into: &output)
            tlsStarts += 1
        case .refuseContent(let fault, let reply):
            faults.append(fault)
            reply.encode(into: &output)
        case .hello, .mail: perform(machine.answer(SMTPReply(250, nil, "OK")))
        case .recipient(let path):
            if let refusedRecipient, path.text.contains(refusedRecipient) {
                perform(machine.answer(SMTPReply(550, nil, "No such user")))
            } else {
                recipients.append(path.text)
                perform(machine.answer(SMTPReply(250, nil, "OK")))
            }
        case .data: perform(machine.acceptData(retaining: .whole, pendingOctets: input.readableBytes))
        case .message(let message):
            messages.append(String(buffer: message.content))
            perform(machine.answer(SMTPReply(250, nil, "Taken")))
        }
    }
}
