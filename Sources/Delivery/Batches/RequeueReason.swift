/// Why a mail is given back untried.
enum RequeueReason: Sendable, Hashable {
    /// The site is suspended, or takes mail more slowly than it comes.
    case site
    /// Every source that may send it warms up and has used its allowance of the day.
    case allowance

    /// What is known of the recipient while it waits.
    var waitText: String {
        switch self {
        case .site: "waiting until the site takes more mail"
        case .allowance: "waiting for the next allowance of the warm-up"
        }
    }

    /// What is known of it when the campaign has expired.
    var endText: String {
        switch self {
        case .site: "its site took no more mail before the expiry"
        case .allowance: "the allowance of the warm-up did not reach it before the expiry"
        }
    }
}
