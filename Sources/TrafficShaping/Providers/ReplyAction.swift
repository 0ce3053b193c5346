/// What follows from a refusal, beyond the retry of its mail.
package enum ReplyAction: Sendable, Hashable, CustomStringConvertible {
    /// The site wants less: fewer connections, a lower rate.
    case slowDown
    /// Nothing more to the site from this source for so many seconds.
    case suspend(seconds: Double)
    /// Nothing more to the site from this source for so many seconds; its mail goes by another source at once.
    case rotateSource(seconds: Double)
    /// The mail is not tried again, although the code is temporary. The lane goes on.
    case giveUp
    /// The reply is about one mailbox (full, greylisted, busy). The lane goes on.
    case markMailbox
    /// Usual business, such as the end of a connection. The lane goes on.
    case ignore

    package var description: String {
        switch self {
        case .slowDown: "slow_down"
        case .suspend(let seconds): "suspend for \(Int(seconds)) s"
        case .rotateSource(let seconds): "rotate_source for \(Int(seconds)) s"
        case .giveUp: "give_up"
        case .markMailbox: "mark_mailbox"
        case .ignore: "ignore"
        }
    }
}
