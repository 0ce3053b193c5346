package import NIOCore
package import SMTPProtocol

/// What a session decides. A decision made at once costs no allocation; one that needs time is a future.
package indirect enum SMTPServerAction: Sendable {
    case reply(SMTPReply)
    /// Sends the reply, if any, and closes the connection.
    case close(SMTPReply?)
    case delay(TimeAmount, then: SMTPServerAction)
    /// Must be of the session's event loop. A failure closes the connection after `451`.
    case future(EventLoopFuture<SMTPServerAction>)
}

/// The answer to DATA.
package enum SMTPDataDecision: Sendable {
    /// Take the content and keep so much of it.
    case accept(SMTPContentRetention)
    case refuse(SMTPServerAction)
}
