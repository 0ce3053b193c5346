package import MailTypes

/// What one mail transaction is about, besides the content (RFC 5321 §2.3.1). One recipient: Sluice personalises.
package struct SMTPEnvelope: Sendable, Hashable {
    /// Where bounces go: an address without angle brackets, or "" for the null reverse path `<>`.
    package let reversePath: String
    package let recipient: EmailAddress
    /// Whether the message or an address needs SMTPUTF8 (RFC 6531). A recipient that does counts by itself.
    package let needsSMTPUTF8: Bool
    /// Whether the message holds octets above 127 (RFC 6152).
    package let is8Bit: Bool
    /// Octets of the message before dot-stuffing (RFC 1870 §5).
    package let size: Int
    /// Whether the mail must stay under verified TLS on its whole way (RFC 8689): it is sent only where the server
    /// promises that.
    package let requiresTLS: Bool

    package init(
        reversePath: String, recipient: EmailAddress, needsSMTPUTF8: Bool, is8Bit: Bool, size: Int,
        requiresTLS: Bool = false
    ) {
        self.reversePath = reversePath
        self.recipient = recipient
        self.needsSMTPUTF8 = needsSMTPUTF8 || recipient.needsSMTPUTF8
        self.is8Bit = is8Bit
        self.size = size
        self.requiresTLS = requiresTLS
    }

    /// Whether the reverse path can stand in a MAIL command without changing its meaning.
    var hasSafeReversePath: Bool {
        let bytes = reversePath.utf8
        guard bytes.count <= MailLimits.addressOctets else { return false }
        return bytes.allSatisfy { byte in
            byte > 0x20 && byte != 0x7F && byte != UInt8(ascii: "<") && byte != UInt8(ascii: ">")
        }
    }
}

extension SMTPEnvelope: CustomStringConvertible {
    package var description: String { "<envelope to \(recipient.domain), \(size) octets>" }
}
