package import Feedback
package import MailTypes

/// One recipient's outcome as a stream tells it. Personal data: for the account's own eyes.
package struct CampaignOutcome: Sendable, Hashable {
    /// Position in the campaign. A recipient has one outcome, so it tells a line that came twice.
    package let index: Int32
    package let email: String
    package let outcome: Outcome
    /// The last reply, where there was one.
    package let reply: RecipientReply
    /// A mail was sent again after the answer to an earlier one was lost.
    package let wasInDoubt: Bool
    /// Microseconds since 1970; nil where an earlier release did not note it.
    package let microseconds: Int64?
    /// Goes on behind this one.
    package let cursor: OutcomeCursor

    /// Why it was not delivered; nil for outcomes that no receiver caused.
    package var reason: FeedbackReason? { reply.reason(of: outcome) }
}

package struct OutcomePage: Sendable, Hashable {
    package let outcomes: [CampaignOutcome]
    /// Goes on behind all that this page has looked at, whether or not it was asked for.
    package let next: OutcomeCursor
    /// Nothing more was known at the moment of reading.
    package let isAtEnd: Bool
}

extension RecipientReply {
    /// What a refusal was about: of a bounce, and of the last try of one that expired.
    func reason(of outcome: Outcome) -> FeedbackReason? {
        guard outcome == .bounced || outcome == .expired else { return nil }
        if self == .none { return outcome == .expired ? .expired : .undefined }
        return classified(isFinal: outcome == .bounced).reason
    }

    /// Whether a bounce says that the address takes no mail, or its domain.
    var isHard: Bool { self != .none && classified(isFinal: true).hardness == .yes }

    /// Where no server answered, the words are the engine's own: a 5 stands for its verdict.
    private func classified(isFinal: Bool) -> ReplyClassification {
        ReplyClassifier.classify(
            code: code != 0 ? Int(code) : isFinal ? 550 : 450, enhanced: enhanced, text: text)
    }
}
