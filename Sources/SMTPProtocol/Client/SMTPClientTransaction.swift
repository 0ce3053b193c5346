import MailTypes

/// The state of one mail transaction: which reply is awaited, what was refused already.
///
/// With PIPELINING (RFC 2920) RSET, MAIL, RCPT and DATA leave in one group, without it one by one. Either way the
/// replies come in the same order, so one machine serves both: `unsent` is empty in the first case.
struct SMTPClientTransaction: Sendable {
    enum Step: Sendable, Hashable {
        case reset, mail, rcpt, data
        /// `354` came; the content is being handed to the connection.
        case content
        /// The last octet of the content was handed over.
        case finalDot
        /// `354` came although the recipient was refused: an empty message ends the transaction, and its reply
        /// changes nothing (RFC 2920 §3.1).
        case emptyMessage
    }

    enum Progress: Sendable, Hashable {
        case wait
        case send([SMTPClientCommand])
        case sendContent
        /// - Parameters:
        ///   - leavesOpen: the server still holds the transaction and needs RSET before the next.
        ///   - closing: the connection is of no further use.
        case finished(DeliveryReport, leavesOpen: Bool, closing: Bool)
    }

    private(set) var step: Step
    /// What the server must see before the next reply can come, last first.
    private var unsent: [SMTPClientCommand]
    /// The first refusal decides; replies to what was pipelined behind it only follow from it.
    private var refusal: DeliveryReport?
    private var isOpenAtServer: Bool
    private(set) var isAnswered = false
    private let isPipelined: Bool
    /// Its commands left behind the content of the transaction before.
    let isAnnounced: Bool
    /// The commands of the next transaction left behind its content.
    private var isFollowed = false
    private let parameters: SMTPClientMailParameters

    /// - Returns: the commands to send first.
    static func begin(
        _ envelope: SMTPEnvelope, offered extensions: SMTPExtensions, resetFirst: Bool, isAnnounced: Bool = false
    ) -> (SMTPClientTransaction, first: [SMTPClientCommand]) {
        var commands: [SMTPClientCommand] = []
        commands.reserveCapacity(4)
        if resetFirst { commands.append(.reset) }
        let parameters = SMTPClientMailParameters(envelope, offered: extensions)
        commands.append(.mail(from: envelope.reversePath, parameters))
        commands.append(.rcpt(to: envelope.recipient))
        commands.append(.data)
        let step: Step = resetFirst ? .reset : .mail
        let first = extensions.pipelining ? commands : [commands[0]]
        let transaction = SMTPClientTransaction(
            step: step, unsent: commands.dropFirst(first.count).reversed(), isOpenAtServer: resetFirst,
            isPipelined: extensions.pipelining, isAnnounced: isAnnounced, parameters: parameters)
        return (transaction, first)
    }

    private init(
        step: Step, unsent: [SMTPClientCommand], isOpenAtServer: Bool, isPipelined: Bool,
        isAnnounced: Bool, parameters: SMTPClientMailParameters
    ) {
        self.step = step
        self.unsent = unsent
        self.isOpenAtServer = isOpenAtServer
        self.isPipelined = isPipelined
        self.isAnnounced = isAnnounced
        self.parameters = parameters
    }

    /// A reply to one of several commands that left together is awaited.
    var awaitsGroup: Bool { isPipelined && [.reset, .mail, .rcpt, .data].contains(step) }

    /// All commands that left together were answered.
    var hasPipelined: Bool { isPipelined && !awaitsGroup }

    var phase: SMTPPhase {
        switch step {
        case .reset, .mail: .mail
        case .rcpt: .rcpt
        case .data: .data
        case .content: .content
        case .finalDot, .emptyMessage: .finalDot
        }
    }

    /// The last octet was handed to the connection. From now on silence is doubt.
    mutating func contentHandedOver() {
        if step == .content { step = .finalDot }
    }

    /// The next transaction was announced with the content.
    mutating func followed() { isFollowed = true }

    /// - Parameter inputFollows: whether more input is there already. Where the client must speak next, that means
    ///   that the two sides are out of step.
    mutating func received(_ reply: SMTPReply, inputFollows: Bool) -> Progress {
        let isFirst = !isAnswered
        isAnswered = true
        if isFirst, reply.endsConnection { return ended(by: reply) }
        if isFirst, let progress = unexpectedFirst(reply) { return progress }
        if reply.closesConnection { return finished(.refusal(reply, in: phase), closing: true) }
        if let report = complaint(reply) { return finished(report, closing: true) }
        switch step {
        case .reset: return receivedReset(inputFollows)
        case .mail: return receivedMail(reply, inputFollows)
        case .rcpt: return receivedRecipient(reply, inputFollows)
        case .data: return receivedData(reply, inputFollows)
        case .content:
            // An answer before the question. A refusal is believed, as servers that cut off big messages send it.
            guard reply.isTransient || reply.isPermanent else { return violation() }
            return finished(.refusal(reply, in: .content), closing: true)
        case .finalDot: return receivedFinal(reply, inputFollows)
        case .emptyMessage:
            isOpenAtServer = false
            return conclude(inputFollows)
        }
    }

    /// The connection is gone, by whatever cause.
    func ended(_ cause: DeliveryReport.Cause) -> DeliveryReport {
        if let refusal { return refusal }
        return DeliveryReport(step == .finalDot ? .inDoubt : .temporary, cause, in: phase, blame: .connection)
    }

    /// The first answer is none to what was asked: the server has ended the connection, and the two crossed.
    private func ended(by reply: SMTPReply) -> Progress {
        var report =
            reply.isPositive ? ended(.connectionClosed) : DeliveryReport.refusal(reply, in: phase)
        report.mayRetryAtOnce = true
        return finished(report, closing: true)
    }

    /// No server that is in step says this to RSET or MAIL.
    private func unexpectedFirst(_ reply: SMTPReply) -> Progress? {
        let isExpected = step == .reset ? reply.isPositive : !reply.isIntermediate
        guard !isExpected else { return nil }
        var report = ended(.protocolViolation)
        report.mayRetryAtOnce = true
        return finished(report, closing: true)
    }

    /// What some servers say to commands that come together, though they offer PIPELINING.
    private func complaint(_ reply: SMTPReply) -> DeliveryReport? {
        guard awaitsGroup || isFollowed, refusal == nil, [500, 501, 503, 554].contains(reply.code) else { return nil }
        let text = reply.text.lowercased()
        guard text.contains("pipelin") || text.contains("synchroni") else { return nil }
        return .refusal(reply, in: phase, suspecting: .pipelining)
    }

    private mutating func receivedReset(_ inputFollows: Bool) -> Progress {
        isOpenAtServer = false
        step = .mail
        return proceed(inputFollows)
    }

    private mutating func receivedMail(_ reply: SMTPReply, _ inputFollows: Bool) -> Progress {
        guard !reply.isIntermediate else { return violation() }
        step = .rcpt
        if reply.isPositive {
            isOpenAtServer = true
        } else if parameters.size != nil, Self.isAboutSyntax(reply) {
            refusal = .refusal(reply, in: .mail, suspecting: .size)
        } else {
            refusal = .refusal(reply, in: .mail)
        }
        return proceed(inputFollows)
    }

    /// Whether the parameters of a command may be what the server does not understand (RFC 5321 §4.2.3, RFC 3463 §3.6).
    private static func isAboutSyntax(_ reply: SMTPReply) -> Bool {
        [500, 501, 504, 555].contains(reply.code) && (reply.enhanced.map { $0.subject == 5 } ?? true)
    }

    private mutating func receivedRecipient(_ reply: SMTPReply, _ inputFollows: Bool) -> Progress {
        guard !reply.isIntermediate else { return violation() }
        step = .data
        if !reply.isPositive, refusal == nil { refusal = .refusal(reply, in: .rcpt) }
        return proceed(inputFollows)
    }

    private mutating func receivedData(_ reply: SMTPReply, _ inputFollows: Bool) -> Progress {
        if reply.isTransient || reply.isPermanent {
            if refusal == nil { refusal = .refusal(reply, in: .data) }
            return conclude(inputFollows)
        }
        guard reply.isIntermediate, !inputFollows else { return violation() }
        guard refusal == nil else {
            step = .emptyMessage
            return .send([.emptyMessage])
        }
        step = .content
        return .sendContent
    }

    private mutating func receivedFinal(_ reply: SMTPReply, _ inputFollows: Bool) -> Progress {
        isOpenAtServer = false
        if reply.isPositive {
            let report = DeliveryReport(.accepted, .accepted, in: .finalDot, blame: .message, reply: reply)
            return finished(report, closing: inputFollows)
        }
        guard !reply.isIntermediate else { return violation() }
        return finished(.refusal(reply, in: .finalDot), closing: inputFollows)
    }

    /// After a reply to MAIL or RCPT: the next command, if it has not gone already.
    private mutating func proceed(_ inputFollows: Bool) -> Progress {
        guard let next = unsent.popLast() else { return .wait }
        if refusal != nil { return conclude(inputFollows) }
        return inputFollows ? violation() : .send([next])
    }

    private func conclude(_ inputFollows: Bool) -> Progress {
        finished(ended(.protocolViolation), closing: inputFollows)
    }

    private func violation() -> Progress {
        finished(ended(.protocolViolation), closing: true)
    }

    private func finished(_ report: DeliveryReport, closing: Bool) -> Progress {
        .finished(refusal ?? report, leavesOpen: isOpenAtServer, closing: closing)
    }
}
