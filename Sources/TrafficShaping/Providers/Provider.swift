package import MailTypes

/// A mail provider as the rules describe it, with what it takes over from `default`.
package struct Provider: Sendable, Hashable {
    package let name: String
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
