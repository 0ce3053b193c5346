import Campaigns
import Feedback
import Foundation
import Logging
import MailMessage
import MailTypes
import SMTPProtocol
import SMTPTransport
import Vault

/// Carries one mail at a time from its record to its outcome: render, sign, journal the intent, send, journal the answer.
final class Sender: MailSender {
    private let journal: JournalWriter
    private let now: @Sendable () -> Int64
    private let logger: Logger

    /// - Parameter now: the wall clock in seconds since 1970.
    init(journal: JournalWriter, now: @escaping @Sendable () -> Int64 = Sender.wallClock, logger: Logger) {
        self.journal = journal
        self.now = now
        self.logger = logger
    }

    static let wallClock: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }

    /// Mails that were stopped, or waited too long, end here.
    func settlesWithoutConnection(_ job: Job, queueSeconds: Double) -> Bool {
        guard job.run.mayStart else {
            job.run.finish(job.position, .untouched)
            return true
        }
        guard ContinuousClock.now - job.queuedAt < .milliseconds(Int64(queueSeconds * 1_000)) else {
            postpone(job.run, job.position, Diagnosis(text: "no connection to the site came free in time"))
            return true
        }
        return false
    }

    func fail(_ job: Job, failure: SMTPConnectFailure) {
        // A draining node closes its pools: that says nothing about the site.
        guard job.run.mayStart else { return job.run.finish(job.position, .untouched) }
        conclude(job.run, job.position, failure.report)
    }

    func send(_ job: Job, over connection: SMTPConnection) async -> Bool {
        let run = job.run
        let position = job.position
        let record = run.batch.records[position]
        let fingerprint = run.fingerprints[position]
        let mail: SignedMail
        do {
            mail = try run.runtime.mail(for: record, fingerprint: fingerprint, at: now())
        } catch let error as RenderError {
            conclude(run, position, .invalid, Diagnosis(text: error.description))
            return true
        } catch {
            // Signing failed: our fault, not the recipient's. The mail waits for a repair instead of leaving unsigned.
            logger.error("mail not signed", metadata: ["campaign": "\(run.batch.id.campaign)", "error": "\(error)"])
            postpone(run, position, Diagnosis(text: "the message could not be signed"))
            return true
        }
        switch await journal.intend(run, position) {
        case .stopped:
            run.finish(position, .untouched)
            return true
        case .suppressed:
            conclude(run, position, .suppressed, Diagnosis(text: "the address is suppressed"))
            return true
        case .send: break
        }
        guard run.holdsLease else {
            // The node stood still past its lease between the commit and now; the mail is the next holder's.
            run.stop(.abandon)
            run.finish(position, .untouched)
            return true
        }
        let envelope = SMTPEnvelope(
            reversePath: run.runtime.reversePath(for: fingerprint), recipient: record.address,
            needsSMTPUTF8: mail.isInternationalised, is8Bit: mail.isInternationalised,
            size: mail.signature.count + mail.content.count)
        let report = await connection.deliver(envelope, OutgoingMessage(header: mail.signature, content: mail.content))
        if report.mayRetryAtOnce && !job.wasRetried {
            journal.record(run, [JournalEntry(run, position, .withdrawn)])
            return false
        }
        conclude(run, position, report)
        return true
    }

    /// Ends the attempt as the report of the transaction says.
    ///
    /// - Parameter diagnosis: what to keep of it, where that is more than the report tells.
    func conclude(_ run: BatchRun, _ position: Int, _ report: DeliveryReport, _ diagnosis: Diagnosis? = nil) {
        let diagnosis = diagnosis ?? Diagnosis(report)
        let verdict = Verdict(
            report.verdict, isExpired: now() >= run.batch.campaignExpiresAt,
            resendsInDoubt: run.runtime.resendsInDoubt)
        switch verdict {
        case .final(let outcome):
            conclude(run, position, outcome, diagnosis, suppresses: diagnosis.suppresses(report))
        case .later(let countsAsInDoubt):
            if countsAsInDoubt { journal.record(run, [JournalEntry(run, position, .inDoubtResend)]) }
            postpone(run, position, diagnosis)
        }
    }

    func conclude(
        _ run: BatchRun, _ position: Int, _ outcome: Outcome, _ diagnosis: Diagnosis, suppresses: Bool = false
    ) {
        let record = run.batch.records[position]
        journal.record(
            run, [JournalEntry(run, position, .outcome(outcome), diagnosis)],
            suppress: suppresses ? run.fingerprints[position] : nil)
        run.finish(
            position,
            .final(
                RecipientResult(
                    index: record.index, outcome: outcome, code: diagnosis.code, enhanced: diagnosis.enhanced,
                    text: diagnosis.text)))
    }

    func postpone(_ run: BatchRun, _ position: Int, _ diagnosis: Diagnosis) {
        journal.record(run, [JournalEntry(run, position, .deferred, diagnosis)])
        run.finish(position, .deferred)
    }
}

extension JournalEntry {
    init(_ run: BatchRun, _ position: Int, _ kind: Kind, _ diagnosis: Diagnosis? = nil) {
        self.init(
            index: run.batch.records[position].index, kind: kind, replyCode: diagnosis?.code ?? 0,
            enhanced: diagnosis?.enhanced, text: diagnosis?.text ?? "", wasDeferred: run.batch.isRetry)
    }
}
