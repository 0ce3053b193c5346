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

    /// - Returns: the commands to send first.
    static func begin(
        _ envelope: SMTPEnvelope, offered extensions: SMTPExtensions, resetFirst: Bool
    ) -> (SMTPClientTransaction, first: [SMTPClientCommand]) {
        var commands: [SMTPClientCommand] = resetFirst ? [.reset] : []
        commands.append(.mail(from: envelope.reversePath, SMTPClientMailParameters(envelope, offered: extensions)))
        commands.append(.rcpt(to: envelope.recipient))
        commands.append(.data)
        let step: Step = resetFirst ? .reset : .mail
        guard !extensions.pipelining else {
            return (SMTPClientTransaction(step: step, unsent: [], isOpenAtServer: resetFirst), commands)
        }
        let unsent = Array(commands.dropFirst().reversed())
        return (SMTPClientTransaction(step: step, unsent: unsent, isOpenAtServer: resetFirst), [commands[0]])
    }

    private init(step: Step, unsent: [SMTPClientCommand], isOpenAtServer: Bool) {
        self.step = step
        self.unsent = unsent
        self.isOpenAtServer = isOpenAtServer
    }

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

    /// - Parameter inputFollows: whether more input is there already. Where the client must speak next, that means
    ///   that the two sides are out of step.
    mutating func received(_ reply: SMTPReply, inputFollows: Bool) -> Progress {
        isAnswered = true
        if reply.closesConnection { return finished(.refusal(reply, in: phase), closing: true) }
        switch step {
        case .reset: return receivedReset(reply, inputFollows)
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

    private mutating func receivedReset(_ reply: SMTPReply, _ inputFollows: Bool) -> Progress {
        guard reply.isPositive else { return violation() }
        isOpenAtServer = false
        step = .mail
        return proceed(inputFollows)
    }

    private mutating func receivedMail(_ reply: SMTPReply, _ inputFollows: Bool) -> Progress {
        guard !reply.isIntermediate else { return violation() }
        step = .rcpt
        if reply.isPositive {
            isOpenAtServer = true
        } else {
            refusal = .refusal(reply, in: .mail)
        }
        return proceed(inputFollows)
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
        guard reply.code == 354, !inputFollows else { return violation() }
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
