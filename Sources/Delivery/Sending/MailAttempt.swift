import Campaigns
import MailTypes
import SMTPProtocol
import SMTPTransport
import TrafficShaping

/// One attempt at one mail that is ready, over a connection: send, journal the answer.
struct MailAttempt {
    let ready: ReadyMail
    let provider: Provider
    /// The site passes mail on to others, and may want a login.
    let isSmarthost: Bool
    let sender: Sender

    private var mail: QueuedMail { ready.mail }
    private var run: BatchRun { mail.run }
    private var position: Int { mail.position }
    private var fates: FateRecorder { sender.fates }

    /// - Parameters:
    ///   - next: see ``MailSender/send(_:over:provider:isSmarthost:next:step:)``.
    ///   - step: what follows an answer that another host might not give; asked once.
    func send(
        over connection: SMTPConnection, next: @escaping @Sendable () -> SMTPEnvelope?,
        step: (DeliveryReport) -> SMTPAttempt.Step
    ) async -> LaneAnswer {
        let dot = FinalDot(of: run, position, markedIn: sender.marks)
        defer { dot.done() }
        let begun = sender.clock.steady()
        switch turn(await deliver(dot, over: connection, next), step) {
        case .untried(let answer):
            fates.withdraw(run, position)
            return answer
        case .ended(let report): return finish(report, connection, inSeconds: sender.clock.steady() - begun)
        }
    }

    /// The whole attempt but its transaction, of which the report is given: test mail (decision 0126).
    func rehearse(_ report: DeliveryReport) {
        let dot = FinalDot(of: run, position, markedIn: sender.marks)
        defer { dot.done() }
        guard dot.mayBeWritten() else {
            fates.withdraw(run, position)
            run.finish(position, .untouched)
            return
        }
        fates.finish(run, position, report, Refusal(report, provider))
    }

    private func finish(
        _ report: DeliveryReport, _ connection: SMTPConnection, inSeconds seconds: Double
    ) -> LaneAnswer {
        if report.verdict == .accepted { sender.metrics.accepted(over: connection) }
        let refusal = Refusal(report, provider)
        // Behind a smarthost nobody knows who has the mailbox.
        if !isSmarthost { run.noteProvider(provider.name, position) }
        let decision = fates.finish(run, position, report, refusal)
        sender.account(mail, AttemptRecord.Peer(connection), report, decision, inSeconds: seconds)
        return report.answer(isSmarthost ? refusal?.ofRelay : refusal)
    }

    // MARK: The transaction

    private func deliver(
        _ dot: FinalDot, over connection: SMTPConnection, _ next: @escaping @Sendable () -> SMTPEnvelope?
    ) async -> DeliveryReport {
        await connection.deliver(ready.envelope, outgoing(dot, next))
    }

    /// Nobody holds on to the content while the server thinks.
    private func outgoing(_ dot: FinalDot, _ next: @escaping @Sendable () -> SMTPEnvelope?) -> OutgoingMessage {
        let content = ready.takeContent()
        return OutgoingMessage(
            header: content.signature, content: content.message, mayEnd: { dot.mayBeWritten() }, next: next)
    }

    private enum Turn {
        case ended(DeliveryReport)
        /// It counts for nothing: the mail goes on by another connection, or waits for a login.
        case untried(LaneAnswer)
    }

    private func turn(_ report: DeliveryReport, _ step: (DeliveryReport) -> SMTPAttempt.Step) -> Turn {
        if report.mayRetryAtOnce && !mail.wasRetried { return .untried(.connectionWasClosed) }
        if isSmarthost && report.isLoginFailure { return .untried(.notLoggedIn(report.loginProblem)) }
        guard report.mayFareBetterElsewhere, Refusal(report, provider)?.isAboutSender != true else {
            return .ended(report)
        }
        guard case .end(let decisive) = step(report) else { return .untried(.connectionWasClosed) }
        return .ended(decisive)
    }
}

extension DeliveryReport {
    /// Whether the next host is tried. Who refuses the whole content for the sender's pace, a greylist or a full mailbox
    /// speaks for all hosts, and the content is not sent twice for that.
    fileprivate var mayFareBetterElsewhere: Bool {
        guard isAboutHost, phase == .finalDot else { return isAboutHost }
        switch RetryClass(self) {
        case .other, .unreachable: return true
        case .greylisting, .mailboxFull, .throttled, .blocked: return false
        }
    }
}
