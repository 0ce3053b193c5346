package import NIOCore
package import SMTPProtocol

/// Makes the session of each connection that a ``SMTPListener`` takes.
package protocol SMTPSessionHandler: Sendable {
    /// Called on `eventLoop`, where the session then stays.
    func makeSession(peer: SocketAddress?, on eventLoop: any EventLoop) -> any SMTPServerSession
}

/// Who may send what to whom: the part of a session that ``SMTPServerStateMachine`` leaves open.
///
/// All calls come from one event loop, one after another: while a decision is a future, no other call is made but
/// ``closed()``. Nothing here may block.
package protocol SMTPServerSession: AnyObject {
    /// The connection is open. Nil welcomes the client; a reply sends it away.
    func connected() -> SMTPReply?
    /// TLS is on.
    func secured()
    func hello(_ hello: SMTPHello) -> SMTPServerAction
    /// A transaction begins; an earlier one, if its message never came, is void.
    func mail(_ mail: SMTPReceivedMail) -> SMTPServerAction
    func recipient(_ path: SMTPPath) -> SMTPServerAction
    func data() -> SMTPDataDecision
    /// The content has come to its end. A positive reply takes responsibility for it (RFC 5321 §4.2.5): make it safe
    /// first.
    func message(_ message: SMTPReceivedMessage) -> SMTPServerAction
    /// The content was refused for its form.
    func contentRefused(_ fault: SMTPContentFault)
    /// The connection is gone.
    func closed()
}

extension SMTPServerSession {
    package func connected() -> SMTPReply? { nil }
    package func secured() {}
    package func hello(_ hello: SMTPHello) -> SMTPServerAction { .reply(SMTPReply(250, nil, "OK")) }
    package func data() -> SMTPDataDecision { .accept(.whole) }
    package func contentRefused(_ fault: SMTPContentFault) {}
    package func closed() {}
}
