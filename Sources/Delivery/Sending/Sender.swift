import Campaigns
import Feedback
import Foundation
import Logging
import MailMessage
import MailTypes
import SMTPProtocol
import SMTPTransport
import TrafficShaping
import Vault

/// Carries one mail at a time from its record to its outcome: render, sign, journal the intent, send, journal the answer.
final class Sender: MailSender {
    private let journal: JournalWriter
    private let marks: FinalDotMarks?
    private let retry: RetrySchedule
    private let refusals: RefusalPolicy
    private let onBrake: BrakeHandler
    let metrics: DeliveryMetrics
    private let accounting: AccountingLog?
    private let now: @Sendable () -> Int64
    private let logger: Logger

    /// Told when a campaign is to be paused, with the refusal that decided.
    typealias BrakeHandler = @Sendable (AccountID, CampaignID, RecipientReply) -> Void

    /// - Parameters:
    ///   - marks: where mails leave their marks before the final dot; nil where the node has no files.
    ///   - now: the wall clock in seconds since 1970.
    init(
        journal: JournalWriter, marks: FinalDotMarks? = nil, retry: RetrySchedule,
        refusals: RefusalPolicy = RefusalPolicy(),
        onBrake: @escaping BrakeHandler = { _, _, _ in }, metrics: DeliveryMetrics = DeliveryMetrics(),
        accounting: AccountingLog? = nil,
        now: @escaping @Sendable () -> Int64 = Sender.wallClock, logger: Logger
    ) {
        self.journal = journal
        self.marks = marks
        self.retry = retry
        self.refusals = refusals
        self.onBrake = onBrake
        self.metrics = metrics
        self.accounting = accounting
        self.now = now
        self.logger = logger
    }

    static let wallClock: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }

    /// Mails that were stopped, or that came too late, end here.
    func endIfOver(_ job: QueuedMail) -> Bool {
        guard job.run.mayStart else {
            endUnstarted(job)
            return true
        }
        return false
    }

    /// A mail that may not start any more: the run was stopped, or its time is over.
    private func endUnstarted(_ job: QueuedMail) {
        guard !job.run.isStopped else { return job.run.finish(job.position, .untouched) }
        conclude(job.run, job.position, .expired, RecipientReply(text: "its turn did not come before the expiry"))
    }

    func requeue(
        _ job: QueuedMail, inSeconds seconds: Double, awaitsResume: Bool, because reason: RequeueReason
    ) {
        guard !job.run.isStopped else { return job.run.finish(job.position, .untouched) }
        guard !job.run.isExpired(at: now()) else {
            return conclude(job.run, job.position, .expired, RecipientReply(text: reason.endText))
        }
        journal.record(
            job.run, [JournalEntry(job.run, job.position, .deferred, RecipientReply(text: reason.waitText))])
        metrics.count(\.postponed)
        job.run.finish(job.position, .requeued(inSeconds: seconds, awaitsResume: awaitsResume))
    }

    func giveUp(_ job: QueuedMail) {
        guard !job.run.isStopped else { return job.run.finish(job.position, .untouched) }
        conclude(job.run, job.position, .bounced, RecipientReply(text: "given up by the operator"))
    }

    func fail(
        _ job: QueuedMail, _ failure: SMTPConnectFailure, _ report: DeliveryReport, provider: Provider
    ) -> LaneAnswer {
        // A draining node closes its pools: that says nothing about the site.
        guard !job.run.isStopped else {
            job.run.finish(job.position, .untouched)
            return .stopped
        }
        let refusal = Refusal(report, provider)
        let decision = conclude(job.run, job.position, report, refusal)
        account(job, AttemptRecord.Peer(failure), report, decision)
        return report.answer(refusal)
    }

    func send(
        _ job: QueuedMail, over connection: SMTPConnection, provider: Provider, isSmarthost: Bool,
        step: (DeliveryReport) -> SMTPAttempt.Step
    ) async -> LaneAnswer {
        let run = job.run
        let position = job.position
        let record = run.batch.records[position]
        let token = run.runtime.token(of: run.fingerprints[position])
        let mail: SignedMail
        do {
            mail = try run.runtime.mail(for: record, token: token, at: now())
        } catch let error as RenderError {
            conclude(run, position, .invalid, RecipientReply(text: error.description))
            return .unused
        } catch {
            // Signing failed: our fault, not the recipient's. The mail waits for a repair instead of leaving unsigned.
            logger.error("mail not signed", metadata: ["campaign": "\(run.batch.id.campaign)", "error": "\(error)"])
            self.defer(
                run, position, RecipientReply(text: "the message could not be signed"),
                inSeconds: retrySeconds(run, position, .unreachable))
            return .unused
        }
        switch await journal.intend(run, position) {
        case .stopped:
            run.finish(position, .untouched)
            return .unused
        case .suppressed:
            conclude(run, position, .suppressed, RecipientReply(text: "the address is suppressed"))
            return .unused
        case .send: break
        }
        guard run.holdsLease else {
            // The node stood still past its lease between the commit and now; the mail is the next holder's.
            run.stop(.abandon)
            run.finish(position, .untouched)
            return .unused
        }
        let envelope = SMTPEnvelope(
            reversePath: run.runtime.reversePath(token: token), recipient: record.address,
            needsSMTPUTF8: mail.isInternationalised, is8Bit: mail.isInternationalised,
            size: mail.signature.count + mail.content.count, requiresTLS: run.runtime.requiresTLS)
        let dot = FinalDot(of: run, position, markedIn: marks)
        defer { dot.done() }
        let message = OutgoingMessage(
            header: mail.signature, content: mail.content, mayEnd: { dot.mayBeWritten() })
        let begun = ContinuousClock.now
        var report = await connection.deliver(envelope, message)
        if report.mayRetryAtOnce && !job.wasRetried {
            journal.record(run, [JournalEntry(run, position, .withdrawn)])
            return .connectionWasClosed
        }
        if isSmarthost && report.isLoginFailure {
            journal.record(run, [JournalEntry(run, position, .withdrawn)])
            return .notLoggedIn(report.loginProblem)
        }
        if report.verdict == .accepted { metrics.accepted(over: connection) }
        if report.isAboutHost && Refusal(report, provider)?.isAboutSender != true {
            guard case .end(let decisive) = step(report) else {
                journal.record(run, [JournalEntry(run, position, .withdrawn)])
                return .connectionWasClosed
            }
            report = decisive
        }
        let refusal = Refusal(report, provider)
        let decision = conclude(run, position, report, refusal)
        account(job, AttemptRecord.Peer(connection), report, decision, .now - begun)
        return report.answer(isSmarthost ? refusal?.ofRelay : refusal)
    }

    /// Ends the attempt as the report of the transaction says.
    ///
    /// - Parameters:
    ///   - refusal: what the server's refusal means, where it refused.
    ///   - reply: what to keep of it, where that is more than the report tells.
    @discardableResult
    func conclude(
        _ run: BatchRun, _ position: Int, _ report: DeliveryReport, _ refusal: Refusal? = nil,
        _ reply: RecipientReply? = nil
    ) -> AttemptDecision {
        let reply = reply ?? RecipientReply(report)
        let attempts = Int(run.batch.records[position].attempt) + 1
        let decision = AttemptDecision(
            report.verdict, isExpired: run.isExpired(at: now()),
            resendsLeft: run.resendsLeft(position), bounces: refusal?.bounces(refusals, attempts: attempts))
        // Later attempts come back to those that were refused before, and would make any campaign look blocked at its end.
        if attempts == 1 { watch(run, report, refusal, reply) }
        switch decision {
        case .final(let outcome):
            conclude(run, position, outcome, reply, finding: outcome == .bounced ? report.finding : .nothing)
        case .retry(let countsAsInDoubt):
            if countsAsInDoubt { resendInDoubt(run, position) }
            let leavesAtOnce = refusal?.action?.rotatesSource ?? false
            self.defer(
                run, position, reply, inSeconds: leavesAtOnce ? 1 : retrySeconds(run, position, RetryClass(report)))
        }
        return decision
    }

    /// A line of the operator's log, where there is one.
    private func account(
        _ job: QueuedMail, _ peer: AttemptRecord.Peer, _ report: DeliveryReport, _ decision: AttemptDecision,
        _ duration: Duration? = nil
    ) {
        accounting?.note(
            AttemptRecord(job.run, job.position, peer, report, decision, duration, at: Date()))
    }

    /// Tells once when too much of a campaign's mail is refused for its sender.
    private func watch(_ run: BatchRun, _ report: DeliveryReport, _ refusal: Refusal?, _ reply: RecipientReply) {
        guard report.verdict == .accepted || refusal != nil else { return }
        guard run.runtime.answered(isBlock: refusal?.isBlock ?? false) else { return }
        onBrake(run.batch.id.account, run.batch.id.campaign, reply)
    }

    func conclude(
        _ run: BatchRun, _ position: Int, _ outcome: Outcome, _ reply: RecipientReply,
        finding: AddressFinding = .nothing
    ) {
        let record = run.batch.records[position]
        metrics.concluded(outcome, of: run.batch.id.account)
        journal.record(
            run, [JournalEntry(run, position, .outcome(outcome), reply, finding)],
            found: run.found(finding, at: position))
        run.finish(
            position,
            .final(RecipientResult(index: record.index, outcome: outcome, reply: reply)))
    }

    /// The mail may have been delivered, and is to be sent again: that is counted.
    func resendInDoubt(_ run: BatchRun, _ position: Int) {
        metrics.count(\.inDoubtResent)
        run.noteResend(position)
        journal.record(run, [JournalEntry(run, position, .inDoubtResend)])
    }

    /// An attempt failed for now.
    func `defer`(_ run: BatchRun, _ position: Int, _ reply: RecipientReply, inSeconds seconds: Double) {
        metrics.deferred(of: run.batch.id.account)
        journal.record(run, [JournalEntry(run, position, .deferred, reply)])
        run.finish(position, .deferred(inSeconds: seconds))
    }

    /// When a recipient that was refused for now is due again.
    func retrySeconds(_ run: BatchRun, _ position: Int, _ retryClass: RetryClass) -> Double {
        var generator = SystemRandomNumberGenerator()
        return retry.delay(
            afterAttempt: Int(run.batch.records[position].attempt) + 1, for: retryClass, using: &generator)
    }
}

extension DeliveryReport {
    /// What the lane learns from it.
    func answer(_ refusal: Refusal?) -> LaneAnswer {
        if verdict == .accepted { return .accepted }
        // Only who has credentials comes to this phase.
        if phase == .auth && isLoginFailure { return .notLoggedIn(loginProblem) }
        if let reply { return .refused(refusal?.action, code: reply.code, reply.enhanced) }
        switch cause {
        case .messageTooBig, .smtpUTF8NotOffered, .eightBitNotOffered, .unsafeReversePath, .requireTLSNotOffered:
            return .refused(nil, code: 0, nil)
        case .cancelled, .poolClosed: return .stopped
        default: return .broken
        }
    }

    /// For operators: the reply's codes, not its text, which may repeat what was sent.
    var loginProblem: String {
        reply.map { "reply \($0.code)\($0.enhanced.map { " \($0)" } ?? "")" } ?? reason
    }
}

extension ReplyAction {
    fileprivate var rotatesSource: Bool {
        if case .rotateSource = self { true } else { false }
    }
}

extension LaneAnswer {
    /// Says nothing about the site.
    var isOurDoing: Bool {
        if case .stopped = self { true } else { false }
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
