import SMTPProtocol
import SMTPTransport
import TrafficShaping

/// What a lane does with mails, one at a time: all that lanes know of sending, so that they can be tested without a
/// database.
protocol MailSender: Sendable {
    /// Ends a mail that must not be sent any more; true where it did.
    func endIfOver(_ mail: QueuedMail) -> Bool
    /// Makes a mail ready: its intent is committed.
    ///
    /// - Returns: nil where it must not be sent: then the recipient has its fate.
    func prepare(_ mail: QueuedMail) async -> ReadyMail?
    /// A mail that was made ready is not sent now.
    func withdraw(_ mail: ReadyMail)
    /// - Parameters:
    ///   - isSmarthost: the site passes mail on to others, and may want a login.
    ///   - next: asked right before the final dot, where the server can be told then of the mail that follows over the
    ///     connection: its envelope, or nil where none is known to.
    ///   - step: what the attempt does after an answer that another host might not give; asked once.
    /// - Returns: ``LaneAnswer/connectionWasClosed`` where the mail goes by another connection.
    func send(
        _ mail: ReadyMail, over connection: SMTPConnection, provider: Provider, isSmarthost: Bool,
        next: @escaping @Sendable () -> SMTPEnvelope?, step: (DeliveryReport) -> SMTPAttempt.Step
    ) async -> LaneAnswer
    /// No connection to the site could be made, or none to a host that was left.
    ///
    /// - Parameter report: what the attempt came to.
    func fail(
        _ mail: QueuedMail, _ failure: SMTPConnectFailure, _ report: DeliveryReport, provider: Provider
    ) -> LaneAnswer
    /// Gives the mail back to the store untried.
    ///
    /// - Parameters:
    ///   - awaitsResume: the operator's resume of a lane brings it back at once.
    ///   - reason: what the recipient is told to have waited for, should the campaign expire.
    func requeue(_ mail: QueuedMail, inSeconds: Double, awaitsResume: Bool, because reason: RequeueReason)
    /// Ends the mail as bounced, untried: the operator wants no more of it.
    func giveUp(_ mail: QueuedMail)
}

extension MailSender {
    func requeue(_ mail: QueuedMail, inSeconds seconds: Double, awaitsResume: Bool) {
        requeue(mail, inSeconds: seconds, awaitsResume: awaitsResume, because: .site)
    }
}
