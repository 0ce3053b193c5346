import Feedback
import MailTypes
import Postgres

/// One thing that a provider reports of one mail.
struct ProviderEvent: Sendable {
    /// Nil where nothing follows from it: delivered, opened, or unclear which recipient is meant.
    let fact: FeedbackFact?
    /// One of ``FeedbackReason``, or the type of a complaint.
    var reason = ""
    var enhanced: EnhancedStatusCode?
    var smtpCode: Int?
    var occurredAt: PostgresTimestamp?
    /// Where the token may stand: whatever the provider repeats of the mail.
    let evidence: JSONValue

    /// Something that changes nothing.
    static func nothing(_ evidence: JSONValue) -> ProviderEvent { ProviderEvent(fact: nil, evidence: evidence) }

    /// A bounce, judged by what the provider says of it and by what the receiver wrote.
    static func bounce(_ bounce: BounceJudgement, at instant: PostgresTimestamp?, _ evidence: JSONValue)
        -> ProviderEvent
    {
        ProviderEvent(
            fact: bounce.fact, reason: bounce.reason, enhanced: bounce.enhanced, smtpCode: bounce.smtpCode,
            occurredAt: instant, evidence: evidence)
    }

    static func plain(
        _ fact: FeedbackFact, _ reason: String = "", at instant: PostgresTimestamp?, _ evidence: JSONValue
    ) -> ProviderEvent {
        ProviderEvent(fact: fact, reason: reason, occurredAt: instant, evidence: evidence)
    }

    static func complaint(_ type: String = "abuse", at instant: PostgresTimestamp?, _ evidence: JSONValue)
        -> ProviderEvent
    {
        let type = complaintType(type)
        // RFC 5965 §3.1: a report that the mail is no spam.
        guard type != "not-spam" else { return .nothing(evidence) }
        return plain(.complaint, type, at: instant, evidence)
    }

    /// A type is the reporter's word.
    private static func complaintType(_ type: String) -> String {
        let isPlain = type.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "-") }
        return (1...40).contains(type.utf8.count) && isPlain ? type : "other"
    }
}
