import MailTypes
package import Postgres
import Vault

/// Puts the recipients of bounces, complaints and unsubscribes on their accounts' suppression lists.
package struct SuppressionFollower: FeedbackFollower {
    private let suppressions: SuppressionList

    package init(suppressions: SuppressionList) { self.suppressions = suppressions }

    package func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws {
        var found: [Key: [NewSuppression]] = [:]
        for event in new {
            guard let reason = event.fact.suppression else { continue }
            found[Key(event), default: []].append(NewSuppression(event.recipient.fingerprint, reason))
        }
        for key in found.keys.sorted(by: Key.precedes) {
            try await suppressions.add(
                found[key] ?? [], account: .init(rawValue: key.account), origin: key.origin, on: connection)
        }
    }

    private struct Key: Hashable {
        let account: Int64
        let origin: SuppressionOrigin

        init(_ event: FeedbackEvent) {
            account = event.recipient.account.rawValue
            origin = event.channel.suppressionOrigin
        }

        static func precedes(_ one: Key, _ other: Key) -> Bool {
            (one.account, one.origin.rawValue) < (other.account, other.origin.rawValue)
        }
    }
}

extension FeedbackChannel {
    fileprivate var suppressionOrigin: SuppressionOrigin {
        switch self {
        case .reply: .reply
        case .link, .mailto: .recipient
        case .notice, .report, .provider: .feedback
        }
    }
}
