package import NIOCore

/// How much of a message's content to keep while it is received.
package enum SMTPContentRetention: Sendable, Hashable {
    /// Only count the octets.
    case nothing
    /// The header, bounded by ``SMTPDataDecoder/retainedHeaderOctets``.
    case header
    /// So many octets from its beginning; the rest is only counted.
    case beginning(Int)
    case whole
}

/// A message whose end has been seen.
package struct SMTPReceivedMessage: Sendable, Hashable {
    /// Octets of the message after dot-unstuffing, line ends included.
    package let octets: Int
    /// What the session asked to keep, dots unstuffed.
    package let content: ByteBuffer

    package init(octets: Int, content: ByteBuffer) {
        self.octets = octets
        self.content = content
    }
}
