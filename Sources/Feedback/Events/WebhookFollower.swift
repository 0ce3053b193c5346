import MailTypes
package import Postgres
import Vault
import Webhooks

/// Tells webhooks what came back after the mails were taken: bounces, complaints, unsubscribes, delays. Replies during
/// delivery are told by the journal.
package struct WebhookFollower: FeedbackFollower {
    package init() {}

    package func follow(_ new: [FeedbackEvent], on connection: PostgresConnection) async throws {
        var told: [Key: [WebhookEvent]] = [:]
        var order: [Key] = []
        for event in new where event.channel != .reply {
            let key = Key(account: event.recipient.account, campaign: event.recipient.campaign)
            if told[key] == nil { order.append(key) }
            told[key, default: []].append(event.told)
        }
        try await WebhookOutbox.append(
            order.map { WebhookOutbox.Group(told[$0] ?? [], account: $0.account, campaign: $0.campaign) },
            on: connection)
    }

    private struct Key: Hashable {
        let account: AccountID
        let campaign: CampaignID
    }
}

extension FeedbackEvent {
    fileprivate var told: WebhookEvent {
        .feedback(
            fact.told, campaign: recipient.campaign, fingerprint: recipient.fingerprint, reason: reason,
            channel: channel.name, code: smtpCode, enhanced: enhanced, occurredAt: occurredAt)
    }
}

extension FeedbackFact {
    fileprivate var told: WebhookEventType {
        switch self {
        case .hardBounce, .softBounce: .messageBounced
        case .complaint: .messageComplained
        case .unsubscribe: .messageUnsubscribed
        case .delay: .messageDeferred
        }
    }
}
