import Campaigns
import Logging
import MailMessage
import MailSigning
import MailTypes
import TrafficShaping

/// What comes before a mail's transaction: render, sign, journal the intent.
struct MailPreparation {
    let mail: QueuedMail
    let sender: Sender

    private var run: BatchRun { mail.run }
    private var position: Int { mail.position }
    private var fates: FateRecorder { sender.fates }

    /// Nil where it must not be sent: then the recipient has its fate.
    func ready() async -> ReadyMail? {
        let token = run.runtime.token(of: run.fingerprints[position])
        // Its signature is made while the intent is committed.
        guard let prepared = preparedMail(token), await mayBeSent(), let signature = await signature(of: prepared)
        else { return nil }
        return ReadyMail(
            mail, token: token,
            ReadyMail.Content(
                signature: signature, message: prepared.content, isInternationalised: prepared.isInternationalised),
            readyAt: sender.clock.steady())
    }

    /// Nil where there is none: then the recipient has its fate.
    private func preparedMail(_ token: String) -> PreparedMail? {
        do {
            return try run.runtime.mail(
                for: run.batch.records[position], token: token, at: sender.clock.seconds, signedIn: sender.signing)
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
            fates.withdraw(run, position)
            run.finish(position, .untouched)
        }
        return false
    }
}
