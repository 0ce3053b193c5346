/// A command that a client sent, read and checked for form (RFC 5321 §4.1).
enum SMTPReceivedCommand: Sendable, Hashable {
    case hello(SMTPHello)
    case mail(SMTPReceivedMail)
    case recipient(SMTPPath)
    case data
    case reset
    case noop
    case verify
    case help
    case quit
    case startTLS
}

/// HELO or EHLO.
package struct SMTPHello: Sendable, Hashable {
    /// What the client calls itself: a domain, an address literal or, from many clients, nonsense. Without controls.
    package let name: String
    /// EHLO: the client knows extensions.
    package let isExtended: Bool

    package init(name: String, isExtended: Bool) {
        self.name = name
        self.isExtended = isExtended
    }
}

/// Why a line is not a command that this server carries out.
enum SMTPReceivedCommandFault: Error, Hashable {
    case unrecognised
    case notImplemented
    /// The usage line is part of the reply.
    case syntax(StaticUsage)
    case badSender
    case badRecipient
    case unsupportedParameter
    case needsSMTPUTF8
    case controlCharacter
    /// A web browser or proxy, made to talk to a mail server by somebody else: nothing it sends may be obeyed.
    case foreignProtocol

    enum StaticUsage: String {
        case helo = "HELO hostname"
        case ehlo = "EHLO hostname"
        case mail = "MAIL FROM:<address>"
        case rcpt = "RCPT TO:<address>"
        case data = "DATA"
        case reset = "RSET"
        case quit = "QUIT"
        case startTLS = "STARTTLS"
    }
}
