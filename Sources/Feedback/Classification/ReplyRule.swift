import MailTypes
import Yams

/// One rule of `replies.yaml`: all conditions that are given must hold.
struct ReplyRule: Sendable, Decodable {
    enum Severity: String, Sendable, Decodable {
        case temporary
        case permanent
    }

    let rule: String
    let replyClass: ReplyClass
    let reason: FeedbackReason
    /// Where the rule comes from.
    let provenance: String
    /// One of these phrases occurs.
    let phrases: [String]
    /// And one of these.
    let and: [String]
    /// And none of these.
    let unless: [String]
    let severity: Severity?
    /// The reply code is one of these.
    let codes: Set<Int>
    /// The enhanced code is one of these.
    let statuses: [StatusPattern]

    private enum Key: String, CodingKey {
        case rule, replyClass = "class", reason, provenance, phrases, and, unless, severity, codes, statuses
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        rule = try values.decode(String.self, forKey: .rule)
        replyClass = try values.decode(ReplyClass.self, forKey: .replyClass)
        reason = try values.decode(FeedbackReason.self, forKey: .reason)
        provenance = try values.decode(String.self, forKey: .provenance)
        phrases = try values.decodeIfPresent([String].self, forKey: .phrases) ?? []
        and = try values.decodeIfPresent([String].self, forKey: .and) ?? []
        unless = try values.decodeIfPresent([String].self, forKey: .unless) ?? []
        severity = try values.decodeIfPresent(Severity.self, forKey: .severity)
        codes = try values.decodeIfPresent(Set<Int>.self, forKey: .codes) ?? []
        statuses = try values.decodeIfPresent([StatusPattern].self, forKey: .statuses) ?? []
    }

    /// The rules of `replies.yaml` in their order. A mistake in that file is ours and stops the program.
    static let all: [ReplyRule] = {
        do {
            return try YAMLDecoder().decode(from: String(decoding: PackageResources.replies_yaml, as: UTF8.self))
        } catch {
            fatalError("replies.yaml: \(error)")
        }
    }()
}
