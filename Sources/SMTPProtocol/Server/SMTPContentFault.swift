import MailTypes

/// Why content that was received to its end is refused. Of several reasons the one that stands first here is told,
/// whatever came first: what is found first depends on the pieces in which content comes.
package enum SMTPContentFault: String, Sendable, Hashable, CaseIterable, Comparable {
    /// CR without LF. RFC 5321 §2.3.8 forbids it, and receivers that read it as a line end can be made to see a
    /// second message (CVE-2023-51764 and its family).
    case bareCarriageReturn
    /// LF without CR; the same danger.
    case bareLineFeed
    case lineTooLong
    case messageTooLarge

    package static func < (one: SMTPContentFault, other: SMTPContentFault) -> Bool { one.place < other.place }

    private var place: Int {
        switch self {
        case .bareCarriageReturn: 0
        case .bareLineFeed: 1
        case .lineTooLong: 2
        case .messageTooLarge: 3
        }
    }

    /// The answer to the final dot.
    package var reply: SMTPReply {
        switch self {
        case .bareCarriageReturn:
            SMTPReply(550, EnhancedStatusCode("5.6.0"), "Message refused: carriage return without line feed")
        case .bareLineFeed:
            SMTPReply(550, EnhancedStatusCode("5.6.0"), "Message refused: line feed without carriage return")
        case .lineTooLong:
            SMTPReply(550, EnhancedStatusCode("5.6.0"), "Message refused: line too long")
        case .messageTooLarge:
            SMTPReply(552, EnhancedStatusCode("5.3.4"), "Message size exceeds fixed maximum message size")
        }
    }
}
