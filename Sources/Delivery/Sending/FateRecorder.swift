import Campaigns
import MailTypes
import SMTPProtocol
import TrafficShaping

/// Records what becomes of recipients: in the journal, in the run of their batch, and in the node's counts.
struct FateRecorder: Sendable {
    let journal: JournalWriter
    let retry: RetrySchedule
    var refusals = RefusalPolicy()
    /// Told of each answer.
    var blocks: BlockWatch?
    /// Whether the operator has set a rate for the account.
    var hasRate: @Sendable (AccountID) -> Bool = { _ in false }
    let metrics: DeliveryMetrics
    let clock: DeliveryClock
    let dice: Dice

    // MARK: After an attempt

    /// Ends the attempt as the report of the transaction says.
    ///
    /// - Parameters:
    ///   - refusal: what the server's refusal means, where it refused.
    ///   - reply: what to keep of it, where that is more than the report tells.
    @discardableResult
    func finish(
        _ run: BatchRun, _ position: Int, _ report: DeliveryReport, _ refusal: Refusal? = nil,
        _ reply: RecipientReply? = nil
    ) -> AttemptDecision {
        let reply = reply ?? RecipientReply(report)
        let attempts = Int(run.batch.records[position].attempt) + 1
        let decision = AttemptDecision(
            report.verdict, isExpired: run.isExpired(at: clock.seconds), resendsLeft: run.resendsLeft(position),
            bounces: refusal?.bounces(refusals, attempts: attempts))
        if report.verdict == .accepted || refusal != nil {
            blocks?.answered(
                run.batch.id, isBlock: refusal?.isBlock ?? false, isFirstAttempt: attempts == 1, reply)
        }
        switch decision {
        case .final(let outcome):
            end(run, position, outcome, reply, finding: outcome == .bounced ? report.finding : .nothing)
        case .retry(let countsAsInDoubt):
            if countsAsInDoubt { resendInDoubt(run, position) }
            let leavesAtOnce = refusal?.action?.rotatesSource ?? false
            self.defer(
                run, position, reply, inSeconds: leavesAtOnce ? 1 : retrySeconds(run, position, RetryClass(report)))
        }
        return decision
    }

    /// An attempt failed for now.
    func `defer`(_ run: BatchRun, _ position: Int, _ reply: RecipientReply, inSeconds seconds: Double) {
        metrics.deferred(of: run.batch.id.account)
        journal.record(run, [JournalEntry(run, position, .deferred, reply)])
        run.finish(position, .deferred(inSeconds: seconds))
    }

    /// When a recipient that was refused for now is due again.
    func retrySeconds(_ run: BatchRun, _ position: Int, _ retryClass: RetryClass) -> Double {
        var dice = dice
        return retry.delay(
            afterAttempt: Int(run.batch.records[position].attempt) + 1, for: retryClass, using: &dice)
    }

    /// The mail may have been delivered, and is to be sent again: that is counted.
    func resendInDoubt(_ run: BatchRun, _ position: Int) {
        metrics.count(\.inDoubtResent)
        run.noteResend(position)
        journal.record(run, [JournalEntry(run, position, .inDoubtResend)])
    }

    /// Its intent is committed, and nothing came of it.
    func withdraw(_ run: BatchRun, _ position: Int) {
        journal.record(run, [JournalEntry(run, position, .withdrawn)])
    }

    // MARK: Without one

    func end(
        _ run: BatchRun, _ position: Int, _ outcome: Outcome, _ reply: RecipientReply,
        finding: AddressFinding = .nothing
    ) {
        metrics.concluded(outcome, of: run.batch.id.account)
        journal.record(
            run, [JournalEntry(run, position, .outcome(outcome), reply, finding)],
            found: run.found(outcome, reply, finding, at: position))
        let index = run.batch.records[position].index
        run.finish(position, .final(RecipientResult(index: index, outcome: outcome, reply: reply)))
    }

    /// A mail that may not start any more: its run was stopped, or its time is over.
    func endUnstarted(_ mail: QueuedMail) {
        guard !mail.run.isStopped else { return mail.run.finish(mail.position, .untouched) }
        let reason = hasRate(mail.account) ? RequeueReason.accountRate : .turn
        end(mail.run, mail.position, .expired, reason.endReply)
    }

    /// Gives the mail back untried.
    func requeue(_ mail: QueuedMail, inSeconds seconds: Double, awaitsResume: Bool, because reason: RequeueReason) {
        let (run, position) = (mail.run, mail.position)
        guard !run.isStopped else { return run.finish(position, .untouched) }
        guard !run.isExpired(at: clock.seconds) else {
            return end(run, position, .expired, reason.endReply)
        }
        var entry = JournalEntry(run, position, .deferred, RecipientReply(text: reason.waitText))
        entry.wasTried = false
        journal.record(run, [entry])
        metrics.count(\.requeued)
        run.finish(position, .requeued(inSeconds: seconds, awaitsResume: awaitsResume))
    }
}

extension ReplyAction {
    fileprivate var rotatesSource: Bool {
        if case .rotateSource = self { true } else { false }
    }
}

extension JournalEntry {
    init(
        _ run: BatchRun, _ position: Int, _ kind: Kind, _ reply: RecipientReply? = nil,
        _ finding: AddressFinding = .nothing
    ) {
        self.init(
            index: run.batch.records[position].index, kind: kind, reply: reply ?? .none,
            wasDeferred: run.batch.isRetry, finding: finding)
    }
}
