package import MailTypes

/// A mail provider as the rules describe it, with what it takes over from `default`.
package struct Provider: Sendable, Hashable {
    /// What the limits of a provider, and what it says of its pace, hold for.
    package enum Scope: String, Sendable, Hashable {
        /// Each site by itself: the set of mail hosts that serves a domain.
        case site
        /// All sites of the provider together, for providers that name the hosts of each customer differently.
        case provider
    }

    package let name: String
    package var scope = Scope.site
    /// EHLO keywords that are passed over, in upper case: what the provider offers and does not bear.
    package var leftOutExtensions: Set<String> = []
    static let extensionsThatCanBeLeftOut: Set<String> = [
        "PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "STARTTLS", "ENHANCEDSTATUSCODES",
    ]
    /// Ends of the names of its mail hosts, without a leading dot.
    package let mx: [String]
    /// Recipient domains that belong to it whatever their mail hosts are.
    package let domains: [String]
    package let limits: LaneLimits
    /// In the order in which they are tried.
    package let replies: [ReplyPattern]

    /// What follows from a refusal; nil where no rule speaks of it.
    /// - Parameters:
    ///   - code: 400…599
    ///   - enhanced: the enhanced code of the reply, if it has one.
    ///   - text: all lines, joined by anything.
    package func action(for code: Int, enhanced: EnhancedStatusCode?, text: String) -> ReplyAction? {
        pattern(for: code, enhanced: enhanced, text: text)?.action
    }

    /// The pattern that decides.
    package func pattern(for code: Int, enhanced: EnhancedStatusCode?, text: String) -> ReplyPattern? {
        let text = PlainReply(text)
        return replies.first { $0.matches(code: code, enhanced: enhanced, text: text) }
    }

    /// A relay that no rule names, which all mail goes through. Refusals of recipients come from behind it and say nothing
    /// of its own pace.
    package static func relay(limits: LaneLimits) -> Provider {
        Provider(name: "route", mx: [], domains: [], limits: limits, replies: [])
    }
}
