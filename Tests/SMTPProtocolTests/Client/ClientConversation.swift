import MailTypes
import NIOCore
import SMTPProtocol
import TestSupport
import Testing

/// A dialogue with the client machine, written down as it should go:
///
///     S: a line of the server              C: a line of the client
///     > an event, such as deliver          = what the machine reports
///
/// `play` feeds the server's lines and the events, and writes the same text again with what the machine really did.
struct ClientConversation: CustomTestStringConvertible, Sendable {
    let name: String
    let text: String
    let tls: SMTPClientStateMachine.Configuration.TLS
    let credentials: SMTPCredentials?
    /// The session is for mails with REQUIRETLS.
    let requiresTLS: Bool
    /// What counts as not offered.
    let without: Set<SMTPExtensions.Keyword>
    let envelope: SMTPEnvelope
    /// Of the transaction that is announced.
    let next = makeEnvelope(to: "ben@example.net", from: "b-2@bounce.example")
    /// Content is being written until the event `> handed over`.
    let holdsContent: Bool
    /// The point lies in what comes together, so that feeding octet by octet is another conversation.
    let needsWholePackets: Bool

    init(
        _ name: String, tls: SMTPClientStateMachine.Configuration.TLS = .whenOffered,
        credentials: SMTPCredentials? = nil, requiresTLS: Bool = false,
        without: Set<SMTPExtensions.Keyword> = [], envelope: SMTPEnvelope = makeEnvelope(),
        holdsContent: Bool = false, needsWholePackets: Bool = false, _ text: String
    ) {
        self.name = name
        self.text = text
        self.tls = tls
        self.credentials = credentials
        self.requiresTLS = requiresTLS
        self.without = without
        self.envelope = envelope
        self.holdsContent = holdsContent
        self.needsWholePackets = needsWholePackets
    }

    var testDescription: String { name }

    /// Those of `fixtures/conversations`: a line `# name`, then the dialogue.
    static let fixtures = Fixtures.all("conversations").map { fixture in
        let lines = fixture.text.split(separator: "\n")
        let name = lines.first.flatMap { $0.hasPrefix("# ") ? String($0.dropFirst(2)) : nil }
        return ClientConversation(
            name ?? fixture.name, lines.dropFirst(name == nil ? 0 : 1).joined(separator: "\n"))
    }

    func play(octetByOctet: Bool = false) -> String {
        var player = Player(self)
        var pending: [Substring] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("S:") {
                pending.append(line)
                continue
            }
            player.feed(pending, octetByOctet: octetByOctet)
            pending = []
            if line.hasPrefix(">") { player.event(line) }
        }
        player.feed(pending, octetByOctet: octetByOctet)
        return player.transcript.joined(separator: "\n")
    }

    private struct Player: ~Copyable {
        private let conversation: ClientConversation
        private var machine: SMTPClientStateMachine
        private(set) var transcript: [String] = []

        init(_ conversation: ClientConversation) {
            self.conversation = conversation
            var configuration = SMTPClientStateMachine.Configuration(heloName: "client.example")
            configuration.tls = conversation.tls
            configuration.credentials = conversation.credentials
            configuration.requiresTLS = conversation.requiresTLS
            configuration.withoutExtensions = conversation.without
            machine = SMTPClientStateMachine(configuration)
        }

        mutating func feed(_ lines: [Substring], octetByOctet: Bool) {
            guard !lines.isEmpty else { return }
            transcript += lines.map(String.init)
            // `S: …` without an end: the rest of the line never comes.
            // `S:` alone is a blank line.
            let bytes = ByteBuffer(
                string: lines.map { line in
                    let text = line.dropFirst(3)
                    return text.hasSuffix("…") ? String(text.dropLast()) : text + "\r\n"
                }.joined())
            if octetByOctet {
                for byte in bytes.readableBytesView {
                    machine.receive(ByteBuffer(bytes: [byte]))
                    run(machine.next())
                }
            } else {
                machine.receive(bytes)
                run(machine.next())
            }
        }

        mutating func event(_ line: Substring) {
            transcript.append(String(line))
            switch line.dropFirst(2) {
            case "nothing": break
            case "deliver": run(machine.deliver(conversation.envelope))
            case "handed over": machine.contentHandedOver()
            case "announce": announce(conversation.next)
            case "announce what is refused": announce(makeEnvelope(from: "a b@bounce.example"))
            case "deliver the next": run(machine.deliver(conversation.next))
            case "TLS": run(machine.tlsEstablished())
            case "verified TLS": run(machine.tlsEstablished(isVerified: true))
            case "TLS failed": run(machine.ended(.tlsFailed))
            case "closed": run(machine.ended(.connectionClosed))
            case "timed out": run(machine.ended(.timedOut))
            case "cancelled": run(machine.ended(.cancelled))
            case "quit": run(machine.quit())
            default: Issue.record("no such event: \(line)")
            }
        }

        private mutating func announce(_ envelope: SMTPEnvelope) {
            guard let commands = machine.announce(envelope) else { return transcript.append("= not announced") }
            record(.send(commands))
        }

        private mutating func run(_ first: SMTPClientStateMachine.Action) {
            var action = first
            while action != .wait {
                record(action)
                if action == .sendContent, !conversation.holdsContent { machine.contentHandedOver() }
                action = machine.next()
            }
        }

        private mutating func record(_ action: SMTPClientStateMachine.Action) {
            switch action {
            case .wait: break
            case .send(let commands):
                var buffer = ByteBuffer()
                for command in commands { command.encode(into: &buffer) }
                transcript += String(buffer: buffer).split(separator: "\r\n").map { "C: \($0)" }
            case .startTLS: transcript.append("= handshake")
            case .opened: transcript.append("= opened")
            case .fail(let report, let quitting):
                transcript.append("= failed: \(describe(report))\(quitting ? ", quitting" : "")")
            case .sendContent: transcript.append("C: (content)")
            case .report(let report, let closing):
                transcript.append("= \(describe(report))\(closing ? ", closing" : "")")
            case .close: transcript.append("= close")
            }
        }

        private func describe(_ report: DeliveryReport) -> String {
            var words = ["\(report.verdict)", "in \(report.phase)"]
            if report.verdict != .accepted { words.append("by \(report.blame)") }
            let reply = report.reply.map(\.description) ?? report.enhanced.map { "(\($0))" }
            if report.cause != .refused && report.cause != .accepted { words.append("\(report.cause)") }
            if let reply { words.append(reply) }
            if let keyword = report.suspectedExtension { words.append("suspecting \(keyword.rawValue)") }
            if report.suspectsAnnouncing { words.append("suspecting announcements") }
            if report.mayRetryAtOnce { words.append("retry") }
            return words.joined(separator: " ")
        }
    }
}

func makeEnvelope(
    to recipient: String = "ann@example.net", from reversePath: String = "b-1@bounce.example", utf8: Bool = false,
    eightBit: Bool = false, size: Int = 1_000, requiresTLS: Bool = false
) -> SMTPEnvelope {
    guard let address = try? EmailAddress(recipient) else { preconditionFailure("not an address: \(recipient)") }
    return SMTPEnvelope(
        reversePath: reversePath, recipient: address, needsSMTPUTF8: utf8, is8Bit: eightBit, size: size,
        requiresTLS: requiresTLS)
}
