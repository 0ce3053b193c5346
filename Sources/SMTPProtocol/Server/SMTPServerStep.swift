/// What the owner of a ``SMTPServerStateMachine`` has to do next.
///
/// After a question (`hello`, `mail`, `recipient`, `data`, `message`) the machine reads nothing more until it was
/// answered.
package enum SMTPServerStep: Sendable, Hashable {
    /// Send this and go on.
    case reply(SMTPReply)
    /// Send this, if anything, and close the connection.
    case close(SMTPReply?)
    /// Drop all input that was read so far, send this, and begin the TLS handshake; then call
    /// ``SMTPServerStateMachine/tlsEstablished()``.
    case startTLS(SMTPReply)
    /// The content was received to its end, but it is refused: send this and go on.
    case refuseContent(SMTPContentFault, SMTPReply)

    /// Question; answer with ``SMTPServerStateMachine/answer(_:)``.
    case hello(SMTPHello)
    /// Question; answer with ``SMTPServerStateMachine/answer(_:)``. A new transaction begins: forget the last one.
    case mail(SMTPReceivedMail)
    /// Question; answer with ``SMTPServerStateMachine/answer(_:)``.
    case recipient(SMTPPath)
    /// Question; answer with ``SMTPServerStateMachine/acceptData(retaining:pendingOctets:)``, or refuse with
    /// ``SMTPServerStateMachine/answer(_:)``.
    case data
    /// Question; answer with ``SMTPServerStateMachine/answer(_:)``.
    case message(SMTPReceivedMessage)
}
