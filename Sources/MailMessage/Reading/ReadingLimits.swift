/// What is read of a mail that somebody sent us. What goes beyond is left unread, never refused: a report is understood
/// from its beginning.
package enum ReadingLimits {
    /// Multiparts inside each other; what lies deeper is not taken apart.
    static let depth = 8
    /// Lines that are looked at for delimiters, over all levels together.
    static let delimiterLines = 2_000_000
    /// Parts of a mail, multiparts among them.
    static let parts = 500
    /// Fields of one header.
    static let headerFields = 1_000
    /// Octets of one header.
    static let headerOctets = 256 << 10
    /// Octets of one part that are decoded.
    package static let textOctets = 256 << 10
    /// Octets of one unfolded field.
    static let fieldOctets = 16 << 10
    /// Octets of a media type, a charset and other names. What is longer, or not ASCII, is no name.
    static let nameOctets = 255
    /// Recipients of one report.
    static let recipients = 1_000
}
