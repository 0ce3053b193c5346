import MailTypes
import SMTPProtocol

/// What a recipient of test mail does with it. The local part of the address says so, on any domain and with anything behind a
/// `+`: `bounce@simulator.test`, `Bounce+7@shop.example`. All others take the mail.
enum TestRecipient: String, CaseIterable, Sendable {
    /// There is no such mailbox.
    case bounce
    /// Counts as one on the suppression list.
    case suppressed
    /// Takes the mail and calls it spam.
    case complaint
    /// Refuses for now at the first attempt, and takes the second.
    case deferral = "defer"
    /// Refuses for the sender's standing.
    case block
    /// Takes the mail and wants no more.
    case unsubscribe

    /// Nil for one that takes the mail and says nothing more.
    init?(_ address: EmailAddress) {
        self.init(rawValue: address.bareLocalPart.prefix { $0 != "+" }.lowercased())
    }
}

/// Answers to test mail in place of a server (decision 0126): a decision, without any I/O.
enum TestReceiver {
    /// What the transaction comes to.
    ///
    /// - Parameter attempt: at the recipient, this one included.
    static func report(_ address: EmailAddress, attempt: Int) -> DeliveryReport {
        switch TestRecipient(address) {
        case .bounce: refusal(550, "5.1.1", "no such user (test mail)", .permanent)
        case .block: refusal(550, "5.7.1", "blocked because of the sender's poor reputation (test mail)", .permanent)
        case .deferral where attempt == 1: refusal(450, "4.3.2", "try again later (test mail)", .temporary)
        case .deferral, .complaint, .unsubscribe, .suppressed, nil:
            DeliveryReport(
                .accepted, .accepted, in: .finalDot, blame: .message,
                reply: SMTPReply(250, EnhancedStatusCode("2.0.0"), "taken (test mail)"))
        }
    }

    private static func refusal(
        _ code: Int, _ enhanced: String, _ text: String, _ verdict: DeliveryReport.Verdict
    ) -> DeliveryReport {
        DeliveryReport(
            verdict, .refused, in: .rcpt, blame: .recipient,
            reply: SMTPReply(code, EnhancedStatusCode(enhanced), text))
    }
}
