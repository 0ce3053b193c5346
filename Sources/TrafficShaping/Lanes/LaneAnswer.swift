package import MailTypes

/// How a mail that a lane permitted has ended.
package enum LaneAnswer: Sendable, Hashable {
    case accepted
    /// - Parameter code: of the reply; 0 where the mail was refused on this side of the connection.
    case refused(ReplyAction?, code: Int, EnhancedStatusCode?)
    /// No connection, or one that broke without an answer.
    case broken
    /// Not the site's doing.
    case stopped
    /// A smarthost refused our login, or wants one; the text says how, without credentials. The mail was not tried.
    case notLoggedIn(String)
    /// The mail did not need the connection.
    case unused
    /// The server had closed the connection before; another should carry the mail.
    case connectionWasClosed
}
