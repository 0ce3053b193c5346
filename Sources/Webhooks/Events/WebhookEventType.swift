/// What an event tells. The raw values are bits in stored masks; never renumber them.
package enum WebhookEventType: UInt8, CaseIterable, Sendable, Hashable {
    case messageDelivered = 0
    case messageBounced = 1
    case messageDeferred = 2
    case messageComplained = 3
    case messageUnsubscribed = 4
    case messageSuppressed = 5
    case messageExpired = 6
    case messageInDoubt = 7
    case suppressionAdded = 8
    case suppressionRemoved = 9
    case campaignQueued = 10
    case campaignCompleted = 11
    case campaignPaused = 12
    case campaignCancelled = 13
    case campaignPurged = 14
    case creditsLow = 15
    case creditsRefunded = 16
    case domainVerified = 17
    case domainFailing = 18
    /// Sent on request, to one endpoint, whatever it wants.
    case test = 62

    /// As endpoints ask for it and messages carry it.
    package var name: String {
        switch self {
        case .messageDelivered: "message.delivered"
        case .messageBounced: "message.bounced"
        case .messageDeferred: "message.deferred"
        case .messageComplained: "message.complained"
        case .messageUnsubscribed: "message.unsubscribed"
        case .messageSuppressed: "message.suppressed"
        case .messageExpired: "message.expired"
        case .messageInDoubt: "message.in_doubt"
        case .suppressionAdded: "suppression.added"
        case .suppressionRemoved: "suppression.removed"
        case .campaignQueued: "campaign.queued"
        case .campaignCompleted: "campaign.completed"
        case .campaignPaused: "campaign.paused"
        case .campaignCancelled: "campaign.cancelled"
        case .campaignPurged: "campaign.purged"
        case .creditsLow: "credits.low"
        case .creditsRefunded: "credits.refunded"
        case .domainVerified: "domain.verified"
        case .domainFailing: "domain.failing"
        case .test: "webhook.test"
        }
    }

    /// Those that an endpoint can ask for.
    package static let offered = allCases.filter { $0 != .test }

    package init?(name: some StringProtocol) {
        guard let type = Self.offered.first(where: { $0.name == name }) else { return nil }
        self = type
    }
}

/// A set of types of events, one bit each.
package struct WebhookEventTypes: OptionSet, Sendable, Hashable {
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }
    package init(_ type: WebhookEventType) { rawValue = 1 << Int64(type.rawValue) }
    package init(_ types: some Sequence<WebhookEventType>) {
        rawValue = types.reduce(0) { $0 | 1 << Int64($1.rawValue) }
    }

    /// All that an endpoint can ask for.
    package static let all = WebhookEventTypes(WebhookEventType.offered)

    package func contains(_ type: WebhookEventType) -> Bool { rawValue & (1 << Int64(type.rawValue)) != 0 }

    /// In the order of their numbers.
    package var types: [WebhookEventType] { WebhookEventType.allCases.filter { contains($0) } }
}
