import MailTypes
import SMTPProtocol
import SMTPTransport
import TrafficShaping

/// What a lane's workers do with a mail.
protocol MailSender: Sendable {
    /// Ends a job that must not or need not be sent any more; true when it did.
    ///
    /// - Parameter waited: it has waited for too long.
    func settlesWithoutConnection(_ job: Job, waited: Bool) -> Bool
    /// - Parameter isSmarthost: the site passes mail on to others, and may want a login.
    func send(_ job: Job, over connection: SMTPConnection, provider: Provider, isSmarthost: Bool) async -> SendResult
    /// No connection to the site could be made.
    func fail(_ job: Job, failure: SMTPConnectFailure, provider: Provider) -> LaneAnswer
    /// Gives the mail back to the store untried.
    ///
    /// - Parameter awaitsResume: the operator's resume of a lane brings it back at once.
    func postpone(_ job: Job, inSeconds: Double, awaitsResume: Bool)
    /// Ends the mail as bounced, untried: the operator wants no more of it.
    func giveUp(_ job: Job)
}

/// How sending one mail over a connection ended, for the lane.
enum SendResult: Sendable {
    /// The server had closed the connection before; another should carry the mail.
    case stale
    case answered(LaneAnswer)
    /// The smarthost took no mail for want of a login: as if it had not been tried.
    case notLoggedIn(LaneAnswer)
    /// The mail did not need the connection.
    case unused
}

/// What the lane's governor is told of a mail.
enum LaneAnswer: Sendable {
    case accepted
    case refused(ReplyAction?, code: Int, EnhancedStatusCode?)
    /// No connection, or one that broke without an answer.
    case broken
    /// Not the site's doing.
    case stopped
    /// A smarthost refused our login, or wants one; the text says how, without credentials.
    case notLoggedIn(String)
}
