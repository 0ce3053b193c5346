/// Every bound on what a peer may send, in one place. Octets count the line end unless said otherwise.
package struct SMTPLimits: Sendable, Hashable {
    // Replies, read by the client. The standard's line bound is 512 (RFC 5321 §4.5.3.1.5); real servers exceed it.

    /// What is kept of one line of a reply.
    package var replyLineOctets = 2_048
    /// Lines that are kept of one reply.
    package var replyLines = 128
    /// What is kept of one reply's text.
    package var keptReplyOctets = 32_768
    /// One whole reply; a server that sends more is left.
    package var replyOctets = 262_144
    /// Lines before a reply, or between its lines, that are no reply line.
    package var strayLines = 32
    /// All such lines together.
    package var strayOctets = 16_384

    // Commands and content, read by the server.

    /// One command line. RFC 5321 §4.5.3.1.4 asks for 512 and each extension for some more: a MAIL command with
    /// an address in UTF-8 and all parameters stays below this.
    package var commandLineOctets = 2_048
    /// One line of content (RFC 5321 §4.5.3.1.6).
    package var textLineOctets = 1_000
    /// Recipients of one transaction; at least 100 (RFC 5321 §4.5.3.1.8).
    package var recipients = 1_000

    package init() {}

    package static let standard = SMTPLimits()
}
