package import MailTypes
package import Postgres
package import Vault

/// Something that happened to an account, as its endpoints are told.
package struct WebhookEvent: Sendable, Hashable {
    package let type: WebhookEventType
    let detail: Detail

    enum Detail: Sendable, Hashable {
        case message(MessageFacts)
        /// Members of `data`, without braces; they name nobody.
        case members(String)
    }

    /// What is told of one recipient, but for who it is.
    struct MessageFacts: Sendable, Hashable {
        /// Position in the campaign; -1 where it is not known.
        var index: Int32
        var fingerprint: Fingerprint
        var code: UInt16
        var enhanced: EnhancedStatusCode?
    }

    /// Told only while the campaign's data lives, or to its own account's key: an address, and what a server said.
    package let address: String?
    package let reply: String?

    init(_ type: WebhookEventType, _ detail: Detail, address: String? = nil, reply: String? = nil) {
        self.type = type
        self.detail = detail
        self.address = address
        self.reply = reply
    }

    /// What became of a recipient.
    ///
    /// - Parameters:
    ///   - type: one of `message.…`
    ///   - index: position in the campaign; nil where it is not known, as of what comes back later.
    ///   - reply: what the server said; addresses in it are masked.
    package static func message(
        _ type: WebhookEventType, index: Int32?, fingerprint: Fingerprint, address: EmailAddress? = nil,
        code: UInt16 = 0, enhanced: EnhancedStatusCode? = nil, reply: String = ""
    ) -> WebhookEvent {
        let facts = MessageFacts(index: index ?? -1, fingerprint: fingerprint, code: code, enhanced: enhanced)
        let masked = reply.utf8.contains(UInt8(ascii: "@")) ? reply.addressesMasked : reply
        return WebhookEvent(type, .message(facts), address: address?.text, reply: masked.isEmpty ? nil : masked)
    }

    /// What came back of a mail after a server had taken it, or refused it. Who it was tells `recipient` alone.
    ///
    /// - Parameters:
    ///   - reason: such as `mailbox_missing`
    ///   - channel: by which way it was told, such as `notice`
    package static func feedback(
        _ type: WebhookEventType, campaign: CampaignID, fingerprint: Fingerprint, reason: String, channel: String,
        code: Int? = nil, enhanced: EnhancedStatusCode? = nil, occurredAt: PostgresTimestamp? = nil
    ) -> WebhookEvent {
        members(type) { json in
            json.member("campaign", campaign.description)
            json.member("index", nil as Int64?)
            json.member("recipient", fingerprint.bytes.hexadecimal)
            json.member("address", nil as String?)
            json.member("code", code.map { Int64($0) })
            json.member("enhanced", enhanced?.description)
            json.member("reply", nil as String?)
            json.member("reason", reason)
            json.member("channel", channel)
            json.member("occurred_at", occurredAt.map { SystemTime.text($0.microseconds) })
        }
    }

    private static func members(
        _ type: WebhookEventType, address: String? = nil, _ write: (inout JSONOctets) -> Void
    ) -> WebhookEvent {
        var json = JSONOctets()
        write(&json)
        return WebhookEvent(type, .members(json.text), address: address)
    }

    // MARK: Campaigns

    /// - Parameters:
    ///   - type: one of `campaign.…`
    ///   - counts: by name; in `campaign.completed` the counters.
    ///   - reason: of a pause.
    package static func campaign(
        _ type: WebhookEventType, _ campaign: CampaignID, counts: [(name: String, count: Int64)] = [],
        reason: String? = nil
    ) -> WebhookEvent {
        members(type) { json in
            json.member("campaign", campaign.description)
            if let reason { json.member("reason", reason) }
            guard !counts.isEmpty else { return }
            json.beginObject("counters")
            for (name, count) in counts { json.member(name, count) }
            json.endObject()
        }
    }

    // MARK: The rest of an account

    /// - Parameters:
    ///   - type: `.suppressionAdded` or `.suppressionRemoved`
    ///   - reason: such as `hard_bounce`
    ///   - origin: who put it on the list, such as `feedback`
    ///   - address: where it is known; kept sealed.
    package static func suppression(
        _ type: WebhookEventType, fingerprint: Fingerprint, reason: String?, origin: String?,
        address: EmailAddress? = nil
    ) -> WebhookEvent {
        members(type, address: address?.text) { json in
            json.member("recipient", fingerprint.bytes.hexadecimal)
            json.member("reason", reason)
            json.member("origin", origin)
        }
    }

    package static func creditsLow(available: Int64, threshold: Int64) -> WebhookEvent {
        members(.creditsLow) { json in
            json.member("available", available)
            json.member("threshold", threshold)
        }
    }

    /// - Parameter reason: such as `hard_bounce`
    package static func creditsRefunded(_ credits: Int64, campaign: CampaignID?, reason: String) -> WebhookEvent {
        members(.creditsRefunded) { json in
            json.member("credits", credits)
            json.member("campaign", campaign?.description)
            json.member("reason", reason)
        }
    }

    /// - Parameters:
    ///   - type: `.domainVerified` or `.domainFailing`
    ///   - state: of the domain, such as `failing`
    package static func domain(_ type: WebhookEventType, _ domain: DomainName, state: String) -> WebhookEvent {
        members(type) { json in
            json.member("domain", domain.text)
            json.member("state", state)
        }
    }

    static func test(_ endpoint: WebhookID) -> WebhookEvent {
        members(.test) { json in
            json.member("webhook", endpoint.description)
        }
    }
}
