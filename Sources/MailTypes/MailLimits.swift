/// Every size bound of the mail standards in one place. Octets unless said otherwise.
package enum MailLimits {
    /// RFC 5321 §4.5.3.1.1
    package static let localPartOctets = 64
    /// 255 octets on the wire (RFC 1035 §2.3.4) are 253 of text without the final dot. RFC 5321 §4.5.3.1.2 grants two
    /// more, which no name in the DNS can have.
    package static let domainOctets = 253
    /// RFC 1035 §2.3.4
    package static let labelOctets = 63
    /// A path is 256 octets with its angle brackets (RFC 5321 §4.5.3.1.3, RFC 3696 erratum 1690).
    package static let addressOctets = 254
    /// A line of a message without CRLF (RFC 5322 §2.1.1).
    package static let lineOctets = 998
    /// Recipients in a batch (docs/architecture.md).
    package static let batchRecipients = 1_000
}
