/// What follows from a refusal: for its mail, and for the lane or the provider that it came from.
package enum ReplyAction: Sendable, Hashable, CustomStringConvertible {
    /// The site wants less: fewer connections, a lower rate.
    case slowDown
    /// Nothing more to the site from this source for so many seconds.
    case suspend(seconds: Double)
    /// Nothing more to the site from this source for so many seconds; its mail goes by another source at once.
    case rotateSource(seconds: Double)
    /// The mail bounces, although the code is temporary or the reply is about the sender. The lane goes on.
    case bounce
    /// The mail is tried again, although the code is permanent. The lane goes on.
    case retry
    /// The refusal is about the sender: its standing, its set-up, or what it sends. The mail is tried again, and after a
    /// few of these the lane rests (``GovernorPolicy/firstBlockPauseSeconds``). No rule says this: it is what the text of
    /// a reply means where no rule speaks of it.
    case block
    /// The reply is about one mailbox (full, greylisted, busy). The lane goes on.
    case markMailbox
    /// Usual business, such as the end of a connection. The lane goes on.
    case ignore

    package var description: String {
        switch self {
        case .slowDown: "slow_down"
        case .suspend(let seconds): "suspend for \(Int(seconds)) s"
        case .rotateSource(let seconds): "rotate_source for \(Int(seconds)) s"
        case .bounce: "bounce"
        case .retry: "retry"
        case .block: "block"
        case .markMailbox: "mark_mailbox"
        case .ignore: "ignore"
        }
    }
}
