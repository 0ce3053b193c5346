package import MailTypes

/// Where a recipient stands.
package enum RecipientFate: Sendable, Hashable {
    /// Not tried yet, or under way for the first time.
    case pending
    /// Waiting for another attempt after a temporary refusal.
    case deferred
    case final(Outcome)

    /// The name used in the API.
    package var name: String {
        switch self {
        case .pending: "pending"
        case .deferred: "deferred"
        case .final(let outcome): outcome.name
        }
    }

    package init?(name: String) {
        switch name {
        case "pending": self = .pending
        case "deferred": self = .deferred
        default:
            guard let outcome = Outcome(name: name) else { return nil }
            self = .final(outcome)
        }
    }

    package var outcome: Outcome? {
        if case .final(let outcome) = self { outcome } else { nil }
    }
}

/// One recipient as a listing shows it. Personal data: for the account's own eyes.
package struct RecipientStatus: Sendable, Hashable {
    /// Position in the campaign.
    package let index: Int32
    package let email: String
    package let fate: RecipientFate
    /// The last reply, where there was one.
    package let reply: RecipientReply
    /// A mail was sent again after the answer to an earlier one was lost.
    package let wasInDoubt: Bool

    package var outcome: Outcome? { fate.outcome }
    package var code: UInt16 { reply.code }
    package var enhanced: EnhancedStatusCode? { reply.enhanced }
    package var text: String { reply.text }
}

/// Where a listing of recipients goes on.
///
/// Text form: batch and the position in the campaign from which it goes on, joined by a hyphen.
package struct RecipientCursor: Sendable, Hashable, CustomStringConvertible {
    let batch: Int32
    let position: Int32

    init(batch: Int32, position: Int32) {
        self.batch = batch
        self.position = position
    }

    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let batch = Int32(parts[0]), let position = Int32(parts[1]), batch >= 0, position >= 0
        else { return nil }
        self.init(batch: batch, position: position)
    }

    package var description: String { "\(batch)-\(position)" }
}

package struct RecipientPage: Sendable, Hashable {
    package let recipients: [RecipientStatus]
    /// Nil at the end. A page may be short, even empty, and yet not the last one.
    package let next: RecipientCursor?
}
