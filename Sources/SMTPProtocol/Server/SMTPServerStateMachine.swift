import MailTypes
package import NIOCore

/// The server's side of an SMTP session (RFC 5321) without any I/O: bytes go in, steps come out.
///
///     var machine = SMTPServerStateMachine(SMTPServerProfile(hostname: "mx.example.org"))
///     machine.greet(.accept)                       // .reply(220 …)
///     while let step = machine.next(&input) { … }  // carry out each step; answer questions before going on
///
/// It decides order, form and bounds; who may send what to whom is asked. Input behind STARTTLS is dropped (RFC 3207
/// §6, CVE-2011-0411). Input that was sent before the answer to EHLO or DATA could be seen closes the session
/// (RFC 2920 §3.1): whoever sends it is not reading the answers.
package struct SMTPServerStateMachine: Sendable {
    private enum State {
        case beforeGreeting
        case command
        /// Discarding a command line that is too long; so many octets of it have been dropped.
        case overlongLine(dropped: Int)
        case question(Question)
        case content(SMTPDataDecoder)
        case handshake
        case closed
    }

    private enum Question {
        case hello(SMTPHello)
        case mail(SMTPReceivedMail)
        case recipient
        case data
        case message
    }

    private struct Transaction {
        let mail: SMTPReceivedMail
        var recipients = 0
    }

    private let profile: SMTPServerProfile
    private var state = State.beforeGreeting
    private var hello: SMTPHello?
    private var transaction: Transaction?
    private var errors = 0

    /// Whether TLS is on.
    package private(set) var isSecured = false

    package init(_ profile: SMTPServerProfile) {
        self.profile = profile
    }

    /// Whether content is being received.
    package var isReceivingContent: Bool {
        if case .content = state { true } else { false }
    }

    package var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// The connection is open.
    ///
    /// - Parameter refusal: nil to welcome the client; a 4yz or 5yz reply to send it away.
    package mutating func greet(refusal: SMTPReply? = nil) -> SMTPServerStep {
        if let refusal { return close(refusal) }
        state = .command
        return .reply(SMTPReply(220, nil, profile.hostname + " ESMTP Sluice"))
    }

    /// The TLS handshake is done: the session starts over, as if just greeted (RFC 3207 §4.2).
    package mutating func tlsEstablished() {
        guard case .handshake = state else { return }
        isSecured = true
        hello = nil
        transaction = nil
        state = .command
    }

    /// The owner ends the session, say after a time-out.
    package mutating func close(_ reply: SMTPReply?) -> SMTPServerStep {
        state = .closed
        return .close(reply)
    }

    /// Reads on.
    ///
    /// - Returns: nil if more input, or the answer to a question, is needed first.
    package mutating func next(_ input: inout ByteBuffer) -> SMTPServerStep? {
        switch state {
        case .command: nextCommand(&input)
        case .overlongLine(let dropped): skipLine(&input, dropped: dropped)
        case .content: nextContent(&input)
        case .beforeGreeting, .question, .handshake, .closed: nil
        }
    }

    // MARK: Answers

    /// Answers a question.
    ///
    /// - Parameter reply: 2yz agrees, 4yz and 5yz refuse; 421 and 521 also close the connection. Agreeing to `hello`,
    ///   the reply is replaced by the list of extensions.
    package mutating func answer(_ reply: SMTPReply) -> SMTPServerStep {
        guard case .question(let question) = state else { preconditionFailure("no question is open") }
        state = .command
        switch question {
        case .hello(let hello):
            if reply.isPositive { return agree(to: hello) }
        case .mail(let mail):
            if reply.isPositive { transaction = Transaction(mail: mail) }
        case .recipient:
            if reply.isPositive { transaction?.recipients += 1 }
        case .data, .message:
            transaction = nil
        }
        return reply.code == 421 || reply.code == 521 ? close(reply) : .reply(reply)
    }

    /// Agrees to DATA.
    ///
    /// - Parameter pendingOctets: unread input. There must be none: the client has to wait for `354`.
    package mutating func acceptData(retaining retention: SMTPContentRetention, pendingOctets: Int) -> SMTPServerStep {
        guard case .question(.data) = state else { preconditionFailure("no DATA is open") }
        guard pendingOctets == 0 else { return close(Self.improperPipelining) }
        state = .content(
            SMTPDataDecoder(
                retaining: retention, maximumOctets: profile.maximumMessageOctets,
                expectedOctets: transaction?.mail.size, limits: profile.limits))
        return .reply(Self.startInput)
    }

    private mutating func agree(to hello: SMTPHello) -> SMTPServerStep {
        self.hello = hello
        // EHLO in mid-transaction acts like RSET (RFC 5321 §4.1.4).
        transaction = nil
        guard hello.isExtended else { return .reply(SMTPReply(250, nil, profile.hostname)) }
        let extensions = profile.extensions(secured: isSecured)
        return .reply(SMTPReply(250, nil, [profile.hostname] + extensions.keywords))
    }

    // MARK: Commands

    private mutating func nextCommand(_ input: inout ByteBuffer) -> SMTPServerStep? {
        let limit = profile.limits.commandLineOctets
        guard let lineFeed = input.readableBytesView.prefix(limit).firstIndex(of: UInt8(ascii: "\n")) else {
            guard input.readableBytes >= limit else { return nil }
            state = .overlongLine(dropped: 0)
            return skipLine(&input, dropped: 0)
        }
        var line = input.readBytes(length: lineFeed - input.readerIndex) ?? []
        input.moveReaderIndex(forwardBy: 1)
        guard line.popLast() == UInt8(ascii: "\r") else {
            // Whoever ends lines by LF alone may be smuggled text: none of what follows can be trusted.
            return close(SMTPReply(521, EnhancedStatusCode("5.5.2"), "Lines must end with CR LF"))
        }
        do throws(SMTPReceivedCommandFault) {
            return perform(try SMTPReceivedCommandParser.parse(line), &input)
        } catch {
            return refuse(error)
        }
    }

    private mutating func skipLine(_ input: inout ByteBuffer, dropped: Int) -> SMTPServerStep? {
        if let lineFeed = input.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
            input.moveReaderIndex(to: lineFeed + 1)
            state = .command
            return fail(SMTPReply(500, EnhancedStatusCode("5.5.2"), "Line too long"))
        }
        let total = dropped + input.readableBytes
        input.moveReaderIndex(forwardBy: input.readableBytes)
        guard total <= Self.overlongLineOctets else {
            return close(SMTPReply(521, EnhancedStatusCode("5.5.2"), "Line too long"))
        }
        state = .overlongLine(dropped: total)
        return nil
    }

    private mutating func perform(_ command: SMTPReceivedCommand, _ input: inout ByteBuffer) -> SMTPServerStep {
        switch command {
        case .hello(let hello):
            guard input.readableBytes == 0 else { return close(Self.improperPipelining) }
            return ask(.hello(hello), .hello(hello))
        case .mail(let mail): return begin(mail)
        case .recipient(let path): return add(path)
        case .data: return beginData()
        case .reset:
            transaction = nil
            return .reply(Self.done)
        case .noop: return .reply(Self.done)
        case .verify: return .reply(Self.cannotVerify)
        case .help: return .reply(Self.help)
        case .quit: return close(SMTPReply(221, EnhancedStatusCode("2.0.0"), "Bye"))
        case .startTLS: return beginTLS(&input)
        }
    }

    private mutating func begin(_ mail: SMTPReceivedMail) -> SMTPServerStep {
        guard hello != nil else { return fail(Self.helloFirst) }
        guard transaction == nil else { return fail(SMTPReply(503, Self.outOfOrder, "Sender already given")) }
        let offered = profile.extensions(secured: isSecured)
        guard !mail.requiresTLS || offered.requireTLS else { return refuse(.unsupportedParameter) }
        if let size = mail.size, size > profile.maximumMessageOctets {
            return .reply(SMTPContentFault.messageTooLarge.reply)
        }
        return ask(.mail(mail), .mail(mail))
    }

    private mutating func add(_ path: SMTPPath) -> SMTPServerStep {
        guard let transaction else { return fail(Self.mailFirst) }
        guard transaction.mail.smtpUTF8 || !path.needsSMTPUTF8 else { return refuse(.needsSMTPUTF8) }
        guard transaction.recipients < profile.limits.recipients else {
            return .reply(SMTPReply(452, EnhancedStatusCode("4.5.3"), "Too many recipients"))
        }
        return ask(.recipient, .recipient(path))
    }

    private mutating func beginData() -> SMTPServerStep {
        guard let transaction else { return fail(Self.mailFirst) }
        // Not an error of the client: it may have sent DATA in one group with recipients that were all refused
        // (RFC 2920 §3.1).
        guard transaction.recipients > 0 else { return .reply(Self.noRecipients) }
        return ask(.data, .data)
    }

    private mutating func beginTLS(_ input: inout ByteBuffer) -> SMTPServerStep {
        guard profile.offersTLS else { return refuse(.notImplemented) }
        guard !isSecured else { return fail(SMTPReply(503, Self.outOfOrder, "TLS is already on")) }
        guard hello?.isExtended == true else { return fail(Self.helloFirst) }
        input.clear()
        state = .handshake
        return .startTLS(SMTPReply(220, EnhancedStatusCode("2.0.0"), "Ready to start TLS"))
    }

    private mutating func ask(_ question: Question, _ step: SMTPServerStep) -> SMTPServerStep {
        state = .question(question)
        return step
    }

    // MARK: Content

    private mutating func nextContent(_ input: inout ByteBuffer) -> SMTPServerStep? {
        guard input.readableBytes > 0, case .content(var decoder) = state else { return nil }
        // The decoder owns a buffer: it is taken out of the state while it works, so that nothing is copied.
        state = .command
        guard decoder.consume(&input) else {
            guard decoder.octets <= profile.maximumMessageOctets + Self.overrunOctets else {
                return close(SMTPContentFault.messageTooLarge.reply)
            }
            state = .content(decoder)
            return nil
        }
        if let fault = decoder.fault {
            transaction = nil
            return .refuseContent(fault, fault.reply)
        }
        return ask(.message, .message(decoder.finish()))
    }

    // MARK: Faults

    private mutating func refuse(_ fault: SMTPReceivedCommandFault) -> SMTPServerStep {
        switch fault {
        case .unrecognised: fail(SMTPReply(500, EnhancedStatusCode("5.5.1"), "Command not recognised"))
        case .notImplemented: fail(SMTPReply(502, EnhancedStatusCode("5.5.1"), "Command not implemented"))
        case .syntax(let usage): fail(SMTPReply(501, EnhancedStatusCode("5.5.4"), "Syntax: \(usage.rawValue)"))
        case .badSender: fail(SMTPReply(501, EnhancedStatusCode("5.1.7"), "Bad sender address syntax"))
        case .badRecipient: fail(SMTPReply(501, EnhancedStatusCode("5.1.3"), "Bad recipient address syntax"))
        case .unsupportedParameter: fail(SMTPReply(555, EnhancedStatusCode("5.5.4"), "Unsupported parameter"))
        case .needsSMTPUTF8: fail(SMTPReply(553, EnhancedStatusCode("5.6.7"), "Address needs SMTPUTF8"))
        case .controlCharacter: fail(SMTPReply(500, EnhancedStatusCode("5.5.2"), "Control character in command"))
        case .foreignProtocol: close(SMTPReply(521, EnhancedStatusCode("5.5.1"), "This is a mail server"))
        }
    }

    /// Counts an error of the client. A session with too many is a probe or a program gone wild.
    private mutating func fail(_ reply: SMTPReply) -> SMTPServerStep {
        errors += 1
        guard errors < profile.maximumErrors else {
            return close(SMTPReply(421, EnhancedStatusCode("4.7.0"), "Too many errors"))
        }
        return .reply(reply)
    }

    /// How much of a command line is read and dropped before the session is closed.
    private static let overlongLineOctets = 65_536
    /// How much content beyond the bound is read and dropped, so that an honest client sees the refusal.
    private static let overrunOctets = 64 << 20

    private static let outOfOrder = EnhancedStatusCode("5.5.1")
    private static let done = SMTPReply(250, EnhancedStatusCode("2.0.0"), "OK")
    private static let startInput = SMTPReply(354, nil, "End data with <CR><LF>.<CR><LF>")
    private static let cannotVerify = SMTPReply(
        252, EnhancedStatusCode("2.5.0"), "Cannot verify the address, but will take mail for it")
    private static let help = SMTPReply(214, EnhancedStatusCode("2.0.0"), "See RFC 5321")
    private static let helloFirst = SMTPReply(503, outOfOrder, "Send EHLO first")
    private static let mailFirst = SMTPReply(503, outOfOrder, "Send MAIL first")
    private static let noRecipients = SMTPReply(554, outOfOrder, "No valid recipients")
    private static let improperPipelining = SMTPReply(521, EnhancedStatusCode("5.5.0"), "Improper command pipelining")
}
