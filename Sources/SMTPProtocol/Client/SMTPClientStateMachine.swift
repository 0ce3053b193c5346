import MailTypes
package import NIOCore

/// The client's side of an SMTP session (RFC 5321) without I/O: bytes and events go in, actions come out.
///
/// The owner feeds what it reads with `receive`, then calls `next` until it answers `.wait`, carrying out each action
/// before asking for the next. It also watches the clock: while `awaitedPhase` is not nil, it calls `ended(.timedOut)`
/// once the time of that phase has passed.
///
///     var machine = SMTPClientStateMachine(.init(heloName: "mail.example.org"))
///     machine.receive(ByteBuffer(string: "220 mx.example.net ready\r\n"))
///     machine.next()   // .send([.ehlo("mail.example.org")])
///     machine.next()   // .wait
package struct SMTPClientStateMachine: ~Copyable, Sendable {
    package struct Configuration: Sendable {
        package enum TLS: Sendable, Hashable {
            case never
            /// Where the server offers STARTTLS and goes along with it.
            case whenOffered
            case required
            /// From the first octet, without STARTTLS (RFC 8314 §3.3): the owner starts the handshake itself as soon as it
            /// is connected, and the greeting comes inside TLS.
            case implicit
        }

        package let heloName: String
        package var tls: TLS = .whenOffered
        package var credentials: SMTPCredentials?
        /// The session is for mails that ask for REQUIRETLS: a server that does not offer it, or has not proven over TLS who
        /// it is, is left again.
        package var requiresTLS = false
        package var limits = SMTPLimits.standard
        /// Transactions may be announced; see ``SMTPClientStateMachine/announce(_:)``.
        package var announces = true
        /// What counts as not offered, whatever the server says.
        package var withoutExtensions: Set<SMTPExtensions.Keyword> = []

        /// - Parameter heloName: this host's name, or an address literal in brackets. Other characters than visible
        ///   ASCII are a bug of the caller and stop the program: whoever reads the configuration checks it.
        package init(heloName: String) {
            precondition(
                !heloName.isEmpty && heloName.utf8.allSatisfy { (0x21...0x7E).contains($0) },
                "the HELO name holds other characters than visible ASCII")
            self.heloName = heloName
        }
    }

    package enum Action: Sendable, Hashable {
        /// Nothing to do before the next event.
        case wait
        /// Write these in one go.
        case send([SMTPClientCommand])
        /// Start the TLS handshake, then call `tlsEstablished`, or `ended(.tlsFailed)`.
        case startTLS
        /// The session is open: `deliver` may be called.
        case opened(SMTPExtensions)
        /// The session did not come about. Send QUIT if `quitting`, and close.
        case fail(DeliveryReport, quitting: Bool)
        /// Write the content, dot-stuffed and with its end mark, then call `contentHandedOver`. Stop if the
        /// transaction is reported meanwhile.
        case sendContent
        /// The transaction is over. Close if `closing`.
        case report(DeliveryReport, closing: Bool)
        case close
    }

    private enum State: Sendable {
        case opening(SMTPClientOpening)
        case idle
        case transaction(SMTPClientTransaction)
        /// Between transactions, the next one announced.
        case announced(Announced)
        case quitting
        case closed
    }

    /// A transaction whose commands left together with the content of the one before, and whose own content has not come
    /// yet (RFC 2920 §3.1).
    private struct Announced: Sendable {
        /// Its content must be for nobody else.
        let envelope: SMTPEnvelope
        var transaction: SMTPClientTransaction
        /// What the server's replies led to, kept until the content is here.
        var progress = SMTPClientTransaction.Progress.wait
    }

    private var parser: SMTPReplyParser
    private var state: State
    /// Behind the transaction that is under way.
    private var following: Announced?
    private var needsReset = false
    /// Transactions that the server answered.
    private var answeredCount = 0
    /// The server answered a whole pipelined group.
    private var hasPipelined = false
    /// The server proved over TLS who it is.
    private var isVerified = false
    private let requiresTLS: Bool
    private let announces: Bool
    /// Offered in the newest answer to EHLO; nothing before.
    package private(set) var extensions = SMTPExtensions()

    package init(_ configuration: Configuration) {
        parser = SMTPReplyParser(limits: configuration.limits)
        requiresTLS = configuration.requiresTLS
        announces = configuration.announces
        state = .opening(SMTPClientOpening(configuration))
    }

    /// What the server is expected to do next, and how far things got; nil while nothing is expected of it.
    package var awaitedPhase: SMTPPhase? {
        switch state {
        case .opening(let opening): opening.phase
        case .transaction(let transaction): transaction.phase
        case .quitting: .quit
        case .idle, .announced, .closed: nil
        }
    }

    package var isIdle: Bool {
        if case .idle = state { true } else { false }
    }

    package var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    package mutating func receive(_ bytes: ByteBuffer) {
        if !isClosed { parser.append(bytes) }
    }

    package mutating func next() -> Action {
        while true {
            if case .opening(let opening) = state, opening.isInHandshake, parser.hasUnreadInput {
                return opened(.failed(.inputBeforeTLS, reply: nil, quitting: false), at: opening)
            }
            let reply: SMTPReply?
            do {
                reply = isClosed ? nil : try parser.next(strictly: isSettingUpTLS)
            } catch {
                return ended(.malformedReply)
            }
            guard let reply else { return .wait }
            let action = received(reply)
            if action != .wait { return action }
        }
    }

    private var isSettingUpTLS: Bool {
        if case .opening(let opening) = state { opening.isSettingUpTLS } else { false }
    }

    private mutating func received(_ reply: SMTPReply) -> Action {
        switch state {
        case .opening(var opening):
            let inputFollows = opening.isSettingUpTLS ? parser.hasUnreadInput : parser.holdsFurtherReply
            let progress = opening.received(reply, inputFollows: inputFollows)
            // What was stray before STARTTLS must not pass for input after it.
            if progress == .send(.startTLS) { parser.dropStrayLines() }
            return opened(progress, at: opening)
        case .transaction(var transaction):
            // Behind its last reply may be those to the transaction that was announced with its content.
            let progress = transaction.received(
                reply, inputFollows: following == nil && parser.holdsFurtherReply)
            return advanced(progress, to: transaction)
        case .announced(var next):
            guard next.progress == .wait else {
                // Behind a reply that ends the session nothing counts.
                if case .finished(let report, _, closing: true) = next.progress, report.reply != nil { return .wait }
                state = .closed
                return .close
            }
            next.progress = next.transaction.received(reply, inputFollows: parser.holdsFurtherReply)
            state = .announced(next)
            return .wait
        case .idle:
            // 421, or a reply to nothing.
            state = .closed
            return .close
        case .quitting, .closed:
            // The farewell. The server closes now (RFC 5321 §4.1.1.10), and counts the connection until it has.
            return .wait
        }
    }

    // MARK: Opening

    /// The handshake is done. What the server offered before it is forgotten (RFC 3207 §4.2).
    ///
    /// - Parameter isVerified: whether the server proved to be the one that the policy asks for.
    package mutating func tlsEstablished(isVerified: Bool = false) -> Action {
        guard case .opening(var opening) = state, opening.isInHandshake else { return .wait }
        self.isVerified = isVerified
        extensions = SMTPExtensions()
        return opened(opening.tlsEstablished(), at: opening)
    }

    private mutating func opened(_ progress: SMTPClientOpening.Progress, at opening: SMTPClientOpening) -> Action {
        switch progress {
        case .send(let command):
            state = .opening(opening)
            return .send([command])
        case .startTLS:
            state = .opening(opening)
            return .startTLS
        case .awaitGreeting:
            state = .opening(opening)
            return .wait
        case .opened(let offered):
            extensions = offered
            guard !requiresTLS || canRequireTLS else {
                state = .closed
                return .fail(.requireTLSNotOffered(in: .ehlo), quitting: true)
            }
            state = .idle
            return .opened(offered)
        case .failed(let cause, let reply, let quitting):
            state = .closed
            return .fail(.failedOpening(cause, in: opening.phase, reply: reply), quitting: quitting)
        }
    }

    // MARK: Transactions

    /// Starts a transaction. Every call is answered by one `.report`, now or later.
    ///
    /// After ``announce(_:)`` it must be the envelope that was announced: for another the connection is closed.
    package mutating func deliver(_ envelope: SMTPEnvelope) -> Action {
        if case .announced(let next) = state {
            guard next.envelope == envelope else {
                state = .closed
                return .report(unsent, closing: true)
            }
            state = .transaction(next.transaction)
            return next.progress == .wait ? .wait : advanced(next.progress, to: next.transaction)
        }
        guard isIdle else { return .report(unsent, closing: false) }
        if let refusal = ownRefusal(of: envelope) { return .report(refusal, closing: false) }
        let (transaction, first) = SMTPClientTransaction.begin(
            envelope, offered: extensions, resetFirst: needsReset)
        state = .transaction(transaction)
        return .send(first)
    }

    package mutating func contentHandedOver() {
        guard case .transaction(var transaction) = state else { return }
        transaction.contentHandedOver()
        state = .transaction(transaction)
    }

    /// The session takes no transaction any more.
    private var unsent: DeliveryReport {
        var report = DeliveryReport(.temporary, .connectionClosed, in: .mail, blame: .connection)
        report.mayRetryAtOnce = isClosed && answeredCount > 0
        return report
    }

    /// Whether the next transaction may be announced now: the whole content is handed over, and the server has answered a
    /// group of commands in this session.
    package var mayAnnounce: Bool {
        guard announces, case .transaction(let transaction) = state else { return false }
        return transaction.step == .finalDot && extensions.pipelining && hasPipelined && following == nil
    }

    /// Announces the transaction to follow, in the group that the content begins (RFC 2920 §3.1). Call it where
    /// ``mayAnnounce``, and write the commands right behind the final dot. ``deliver(_:)`` goes on with it; a session that
    /// ends instead has to be closed, for the server waits for the content.
    ///
    /// - Returns: the commands; nil where the server would not be asked, so that ``deliver(_:)`` says why.
    package mutating func announce(_ envelope: SMTPEnvelope) -> [SMTPClientCommand]? {
        guard mayAnnounce, ownRefusal(of: envelope) == nil, case .transaction(var transaction) = state
        else { return nil }
        transaction.followed()
        state = .transaction(transaction)
        let (next, commands) = SMTPClientTransaction.begin(
            envelope, offered: extensions, resetFirst: false, isAnnounced: true)
        following = Announced(envelope: envelope, transaction: next)
        return commands
    }

    private mutating func advanced(
        _ progress: SMTPClientTransaction.Progress, to transaction: SMTPClientTransaction
    ) -> Action {
        switch progress {
        case .finished(var report, let leavesOpen, let closing):
            needsReset = leavesOpen
            // Only a connection that has served can have come to its end in good order.
            if report.suspectedExtension == nil, answeredCount == 0 { report.mayRetryAtOnce = false }
            report.suspectedExtension.map { extensions.remove($0) }
            answeredCount += 1
            hasPipelined = hasPipelined || transaction.hasPipelined
            state = closing ? .closed : following.map { .announced($0) } ?? .idle
            following = nil
            return .report(report, closing: closing)
        case .wait:
            state = .transaction(transaction)
            return .wait
        case .send(let commands):
            state = .transaction(transaction)
            return .send(commands)
        case .sendContent:
            state = .transaction(transaction)
            return .sendContent
        }
    }

    /// What need not be asked, because the server's answer to EHLO says it.
    private func ownRefusal(of envelope: SMTPEnvelope) -> DeliveryReport? {
        func refuse(_ cause: DeliveryReport.Cause, _ subject: UInt16, _ detail: UInt16) -> DeliveryReport {
            DeliveryReport(
                .permanent, cause, in: .mail, blame: .message,
                enhanced: EnhancedStatusCode(statusClass: 5, subject: subject, detail: detail))
        }
        if !envelope.hasSafeReversePath { return refuse(.unsafeReversePath, 1, 7) }
        if let maximum = extensions.maximumSize, envelope.size > maximum { return refuse(.messageTooBig, 3, 4) }
        let needsUTF8 = envelope.needsSMTPUTF8 || !envelope.reversePath.utf8.allSatisfy { $0 < 0x80 }
        if needsUTF8, !extensions.smtpUTF8 { return refuse(.smtpUTF8NotOffered, 6, 7) }
        if envelope.is8Bit, !extensions.eightBitMIME { return refuse(.eightBitNotOffered, 6, 3) }
        if envelope.requiresTLS, !canRequireTLS { return .requireTLSNotOffered(in: .mail) }
        return nil
    }

    /// RFC 8689 §4.2.1. An offer counts only from a server that is known to be the right one.
    private var canRequireTLS: Bool { isVerified && extensions.requireTLS }

    // MARK: Ending

    /// Says farewell if the connection is idle; otherwise it just ends.
    package mutating func quit() -> Action {
        guard isIdle else { return ended(.connectionClosed) }
        state = .quitting
        return .send([.quit])
    }

    /// The connection ended, or must end: closed by the peer, timed out, failed handshake, cancelled.
    package mutating func ended(_ cause: DeliveryReport.Cause) -> Action {
        defer {
            state = .closed
            following = nil
        }
        switch state {
        case .opening(let opening):
            return .fail(.failedOpening(cause, in: opening.phase), quitting: false)
        case .transaction(let transaction):
            var report = transaction.ended(cause)
            report.mayRetryAtOnce = cause == .connectionClosed && !transaction.isAnswered && answeredCount > 0
            if cause == .timedOut, transaction.awaitsGroup, !hasPipelined { report.suspectedExtension = .pipelining }
            report.suspectsAnnouncing = mayHaveLostAnnouncement(transaction, cause)
            return .report(report, closing: true)
        case .idle, .announced, .quitting:
            return .close
        case .closed:
            return .wait
        }
    }

    /// Whether the server may have passed over what followed a content, or broken off because of it.
    private func mayHaveLostAnnouncement(_ transaction: SMTPClientTransaction, _ cause: DeliveryReport.Cause) -> Bool {
        switch cause {
        case .timedOut: following != nil || transaction.isAnnounced && transaction.awaitsGroup
        case .connectionClosed: following != nil
        default: false
        }
    }
}
