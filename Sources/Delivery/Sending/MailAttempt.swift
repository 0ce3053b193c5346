import Campaigns
import Logging
import MailMessage
import MailSigning
import MailTypes
import SMTPProtocol
import SMTPTransport
import TrafficShaping
import Vault

/// One attempt at one mail over a connection: render, sign, journal the intent, send, journal the answer.
struct MailAttempt {
    let mail: QueuedMail
    let provider: Provider
    /// The site passes mail on to others, and may want a login.
    let isSmarthost: Bool
    let sender: Sender

    private var run: BatchRun { mail.run }
    private var position: Int { mail.position }
    private var record: RecipientRecord { run.batch.records[position] }
    private var fates: FateRecorder { sender.fates }

    /// - Parameter step: what follows an answer that another host might not give; asked once.
    func send(over connection: SMTPConnection, step: (DeliveryReport) -> SMTPAttempt.Step) async -> LaneAnswer {
        let token = run.runtime.token(of: run.fingerprints[position])
        // Its signature is made while the intent is committed.
        guard let prepared = preparedMail(token), await mayBeSent(), let signature = await signature(of: prepared)
        else { return .unused }
        let dot = FinalDot(of: run, position, markedIn: sender.marks)
        defer { dot.done() }
        let begun = sender.clock.steady()
        let answered = await deliver(consume prepared, signature, token, dot, over: connection)
        switch turn(answered, step) {
        case .untried(let answer):
            sender.journal.record(run, [JournalEntry(run, position, .withdrawn)])
            return answer
        case .ended(let report): return finish(report, connection, inSeconds: sender.clock.steady() - begun)
        }
    }

    /// The whole attempt but its transaction, of which the report is given: test mail (decision 0126).
    func rehearse(_ report: DeliveryReport) async {
        let token = run.runtime.token(of: run.fingerprints[position])
        guard let prepared = preparedMail(token), await mayBeSent(), await signature(of: prepared) != nil
        else { return }
        let dot = FinalDot(of: run, position, markedIn: sender.marks)
        defer { dot.done() }
        guard dot.mayBeWritten() else {
            sender.journal.record(run, [JournalEntry(run, position, .withdrawn)])
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

    // MARK: Before

    /// Nil where there is none: then the recipient has its fate.
    private func preparedMail(_ token: String) -> PreparedMail? {
        do {
            return try run.runtime.mail(
                for: record, token: token, at: sender.clock.seconds, signedIn: sender.signing)
        } catch let error as RenderError {
            fates.end(run, position, .invalid, RecipientReply(text: error.description))
        } catch {
            endUnsigned(error)
        }
        return nil
    }

    /// The fields of its signature; nil where there are none: then the recipient has its fate.
    private func signature(of prepared: PreparedMail) async -> [UInt8]? {
        do {
            return try await prepared.signature.fields()
        } catch {
            endUnsigned(error)
            return nil
        }
    }

    /// Signing failed: our fault, not the recipient's. The mail waits for a repair instead of leaving unsigned.
    private func endUnsigned(_ error: any Error) {
        sender.logger.error(
            "mail not signed", metadata: ["campaign": "\(run.batch.id.campaign)", "error": "\(error)"])
        fates.defer(
            run, position, RecipientReply(text: "the message could not be signed"),
            inSeconds: fates.retrySeconds(run, position, .unreachable))
    }

    /// Journals the intent; false where the mail must not be sent: then the recipient has its fate.
    private func mayBeSent() async -> Bool {
        switch await sender.journal.intend(run, position) {
        case .stopped: run.finish(position, .untouched)
        case .suppressed: fates.end(run, position, .suppressed, RecipientReply(text: "the address is suppressed"))
        case .send where run.hasLease: return true
        case .send:
            // The node stood still past its lease between the commit and now; the mail is the next holder's.
            sender.journal.record(run, [JournalEntry(run, position, .withdrawn)])
            run.finish(position, .untouched)
        }
        return false
    }

    // MARK: The transaction

    private func deliver(
        _ mail: consuming PreparedMail, _ signature: [UInt8], _ token: String, _ dot: FinalDot,
        over connection: SMTPConnection
    ) async -> DeliveryReport {
        let envelope = SMTPEnvelope(
            reversePath: run.runtime.reversePath(token: token), recipient: run.batch.records[position].address,
            needsSMTPUTF8: mail.isInternationalised, is8Bit: mail.isInternationalised,
            size: signature.count + mail.content.count, requiresTLS: run.runtime.requiresTLS)
        // Nobody holds on to the content while the server thinks.
        let message = OutgoingMessage(
            header: signature, content: (consume mail).content, mayEnd: { dot.mayBeWritten() })
        return await connection.deliver(envelope, consume message)
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
