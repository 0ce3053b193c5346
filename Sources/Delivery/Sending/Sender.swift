import Campaigns
import Logging
import MailSigning
import MailTypes
import SMTPProtocol
import SMTPTransport
import TrafficShaping

/// Sends mails of claimed batches, each by a ``MailAttempt``, and records what becomes of those that no attempt is made
/// for.
final class Sender: MailSender {
    let fates: FateRecorder
    let signing: SigningQueue
    let marks: FinalDotMarks?
    let accounting: AccountingLog?
    let clock: DeliveryClock
    let logger: Logger

    /// - Parameter marks: where mails leave their marks before the final dot; nil where the node has no files.
    init(
        fates: FateRecorder, signing: SigningQueue, marks: FinalDotMarks? = nil, accounting: AccountingLog? = nil,
        clock: DeliveryClock, logger: Logger
    ) {
        self.fates = fates
        self.signing = signing
        self.marks = marks
        self.accounting = accounting
        self.clock = clock
        self.logger = logger
    }

    var journal: JournalWriter { fates.journal }
    var metrics: DeliveryMetrics { fates.metrics }

    func endIfOver(_ mail: QueuedMail) -> Bool {
        guard !mail.run.mayStart else { return false }
        fates.endUnstarted(mail)
        return true
    }

    func prepare(_ mail: QueuedMail) async -> ReadyMail? {
        await MailPreparation(mail: mail, sender: self).ready()
    }

    func withdraw(_ mail: ReadyMail) { fates.withdraw(mail.mail.run, mail.mail.position) }

    func send(
        _ mail: ReadyMail, over connection: SMTPConnection, provider: Provider, isSmarthost: Bool,
        next: @escaping @Sendable () -> SMTPEnvelope?, step: (DeliveryReport) -> SMTPAttempt.Step
    ) async -> LaneAnswer {
        await MailAttempt(ready: mail, provider: provider, isSmarthost: isSmarthost, sender: self)
            .send(over: connection, next: next, step: step)
    }

    func fail(
        _ mail: QueuedMail, _ failure: SMTPConnectFailure, _ report: DeliveryReport, provider: Provider
    ) -> LaneAnswer {
        // A draining node closes its pools: that says nothing about the site.
        guard !mail.run.isStopped else {
            mail.run.finish(mail.position, .untouched)
            return .stopped
        }
        let refusal = Refusal(report, provider)
        let decision = fates.finish(mail.run, mail.position, report, refusal)
        account(mail, AttemptRecord.Peer(failure), report, decision)
        return report.answer(refusal)
    }

    func requeue(_ mail: QueuedMail, inSeconds seconds: Double, awaitsResume: Bool, because reason: RequeueReason) {
        fates.requeue(mail, inSeconds: seconds, awaitsResume: awaitsResume, because: reason)
    }

    func giveUp(_ mail: QueuedMail) {
        guard !mail.run.isStopped else { return mail.run.finish(mail.position, .untouched) }
        fates.end(mail.run, mail.position, .bounced, RecipientReply(text: "given up by the operator"))
    }

    /// A line of the operator's log, where there is one.
    ///
    /// - Parameter seconds: that the transaction took; nil where none began.
    func account(
        _ mail: QueuedMail, _ peer: AttemptRecord.Peer, _ report: DeliveryReport, _ decision: AttemptDecision,
        inSeconds seconds: Double? = nil
    ) {
        accounting?.note(AttemptRecord(mail.run, mail.position, peer, report, decision, seconds, at: clock.now))
    }
}
