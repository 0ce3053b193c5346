package import SMTPProtocol

/// A message to send: two parts, so that signatures need not be copied in front of a big body.
package struct OutgoingMessage: Sendable {
    /// Fields that go first, such as DKIM-Signature, each ended by CRLF; may be empty.
    package let header: [UInt8]
    /// The rest of the message.
    package let content: [UInt8]
    /// Asked on the event loop right before the last octets and the final dot are written, so it must be quick. False
    /// closes the connection instead: the message was not sent.
    let mayEnd: (@Sendable () -> Bool)?
    /// Asked right after that, where the server takes commands in groups: what is delivered next over the connection, so
    /// that its commands leave behind the final dot (RFC 2920 §3.1). Whoever names it delivers it next or closes the
    /// connection. Nil where nothing is known to follow.
    let next: (@Sendable () -> SMTPEnvelope?)?

    package init(
        header: [UInt8] = [], content: [UInt8], mayEnd: (@Sendable () -> Bool)? = nil,
        next: (@Sendable () -> SMTPEnvelope?)? = nil
    ) {
        self.header = header
        self.content = content
        self.mayEnd = mayEnd
        self.next = next
    }

    /// Octets before dot-stuffing.
    package var size: Int { header.count + content.count }
}
