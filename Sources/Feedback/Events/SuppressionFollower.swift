import MailTypes
package import Postgres
import Vault

/// Puts the recipients of bounces, complaints and unsubscribes on their accounts' suppression lists: one statement.
package struct SuppressionFollower: FeedbackFollower {
    private let suppressions: SuppressionList

    package init(suppressions: SuppressionList) { self.suppressions = suppressions }

    package func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws {
        try await suppressions.add(
            new.compactMap { event in
                event.fact.suppression.map { reason in
                    (
                        event.recipient.account, event.channel.suppressionOrigin,
                        NewSuppression(event.recipient.fingerprint, reason)
                    )
                }
            }, on: connection)
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
