/// Where in a session something happened: the command whose reply was awaited.
///
/// The raw values are stored with delivery attempts; never rename them.
package enum SMTPPhase: String, Sendable, Hashable, CaseIterable {
    /// The TCP connection.
    case connect
    case greeting
    /// EHLO, or HELO where EHLO was refused.
    case ehlo
    /// STARTTLS and the handshake.
    case startTLS
    case auth
    case mail
    case rcpt
    case data
    /// Between `354` and the last octet of the final dot.
    case content
    /// After the final dot may have been written: from here on, silence means doubt.
    case finalDot
    case quit
}
