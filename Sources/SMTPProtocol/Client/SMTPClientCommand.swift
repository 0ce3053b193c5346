package import MailTypes
package import NIOCore

/// A line that the client sends (RFC 5321 §4.1).
package enum SMTPClientCommand: Sendable, Hashable {
    case ehlo(String)
    case helo(String)
    case startTLS
    /// AUTH PLAIN with its response in the same line.
    case authPlain(Redacted<String>)
    case authLogin
    /// A line within AUTH, already in base 64.
    case authResponse(Redacted<String>)
    case mail(from: String, SMTPClientMailParameters)
    case rcpt(to: EmailAddress)
    case data
    /// A message without any line: only the end mark.
    case emptyMessage
    case reset
    case quit

    package func encode(into buffer: inout ByteBuffer) {
        switch self {
        case .ehlo(let name): Self.write("EHLO ", name, into: &buffer)
        case .helo(let name): Self.write("HELO ", name, into: &buffer)
        case .startTLS: buffer.writeStaticString("STARTTLS\r\n")
        case .authPlain(let response): Self.write("AUTH PLAIN ", response.exposed, into: &buffer)
        case .authLogin: buffer.writeStaticString("AUTH LOGIN\r\n")
        case .authResponse(let response): Self.write("", response.exposed, into: &buffer)
        case .mail(let path, let parameters):
            buffer.writeStaticString("MAIL FROM:<")
            buffer.writeString(path)
            buffer.writeStaticString(">")
            parameters.encode(into: &buffer)
            buffer.writeStaticString("\r\n")
        case .rcpt(let address):
            buffer.writeStaticString("RCPT TO:<")
            buffer.writeString(address.localPart)
            buffer.writeStaticString("@")
            buffer.writeString(address.domain.text)
            buffer.writeStaticString(">\r\n")
        case .data: buffer.writeStaticString("DATA\r\n")
        case .emptyMessage: buffer.writeStaticString(".\r\n")
        case .reset: buffer.writeStaticString("RSET\r\n")
        case .quit: buffer.writeStaticString("QUIT\r\n")
        }
    }

    private static func write(_ verb: StaticString, _ argument: String, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(verb)
        buffer.writeString(argument)
        buffer.writeStaticString("\r\n")
    }
}

/// The parameters of MAIL: each only where the server offered it.
package struct SMTPClientMailParameters: Sendable, Hashable {
    /// RFC 1870
    package var size: Int?
    /// RFC 6152
    package var is8Bit: Bool
    /// RFC 6531
    package var smtpUTF8: Bool
    /// RFC 8689
    package var requiresTLS: Bool

    package init(size: Int? = nil, is8Bit: Bool = false, smtpUTF8: Bool = false, requiresTLS: Bool = false) {
        self.size = size
        self.is8Bit = is8Bit
        self.smtpUTF8 = smtpUTF8
        self.requiresTLS = requiresTLS
    }

    init(_ envelope: SMTPEnvelope, offered extensions: SMTPExtensions) {
        self.init(
            size: extensions.size == nil ? nil : envelope.size,
            is8Bit: envelope.is8Bit && extensions.eightBitMIME,
            smtpUTF8: envelope.needsSMTPUTF8 && extensions.smtpUTF8,
            requiresTLS: envelope.requiresTLS && extensions.requireTLS)
    }

    /// As they follow the path.
    var text: String {
        var buffer = ByteBuffer()
        encode(into: &buffer)
        return String(buffer: buffer)
    }

    fileprivate func encode(into buffer: inout ByteBuffer) {
        if let size {
            buffer.writeStaticString(" SIZE=")
            buffer.writeString(String(size))
        }
        if is8Bit { buffer.writeStaticString(" BODY=8BITMIME") }
        if smtpUTF8 { buffer.writeStaticString(" SMTPUTF8") }
        if requiresTLS { buffer.writeStaticString(" REQUIRETLS") }
    }
}
