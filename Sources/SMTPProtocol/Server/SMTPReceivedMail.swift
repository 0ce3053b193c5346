/// MAIL with its parameters (RFC 5321 §4.1.1.2).
package struct SMTPReceivedMail: Sendable, Hashable {
    package enum Body: String, Sendable, Hashable {
        /// RFC 5321: the default.
        case sevenBit = "7BIT"
        /// RFC 6152
        case eightBitMIME = "8BITMIME"
    }

    package var reversePath: SMTPPath
    /// Octets of the message as the client estimates them (RFC 1870 §4).
    package var size: Int?
    package var body: Body = .sevenBit
    /// RFC 6531 §3.4
    package var smtpUTF8 = false
    /// RFC 8689 §2
    package var requiresTLS = false

    package init(
        reversePath: SMTPPath, size: Int? = nil, body: Body = .sevenBit, smtpUTF8: Bool = false,
        requiresTLS: Bool = false
    ) {
        self.reversePath = reversePath
        self.size = size
        self.body = body
        self.smtpUTF8 = smtpUTF8
        self.requiresTLS = requiresTLS
    }
}
