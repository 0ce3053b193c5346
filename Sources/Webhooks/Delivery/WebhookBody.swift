import MailTypes
import Vault

/// What a message's body says.
///
/// One event: `{"type": …, "timestamp": …, "data": {…}}`, as Standard Webhooks 1.0 has it. Several:
/// `{"type": "batch", "timestamp": …, "data": {"events": [{"type": …, "timestamp": …, "data": {…}}, …]}}`, so that a
/// receiver which looks at `type` finds its way in both. What happens in a test account says `"test": true` in each event's data.
struct WebhookBody: Sendable {
    let octets: [UInt8]
    let events: Int

    /// An event with its place in the outbox.
    struct Item: Sendable {
        let id: WebhookEventID
        let time: Int64
        let event: WebhookEvent
    }

    /// Nil where there is nothing to say.
    ///
    /// - Parameter isTest: the account is a test account.
    init?(_ items: [Item], campaign: CampaignID?, isTest: Bool = false) {
        guard let last = items.last else { return nil }
        var json = JSONOctets()
        json.reserve(items.count * 320 + 128)
        let campaign = campaign?.description
        if items.count == 1 {
            Self.write(last, SystemTime.text(last.time), campaign, isTest, &json)
        } else {
            json.beginObject()
            json.member("type", "batch")
            json.member("timestamp", SystemTime.text(last.time))
            json.beginObject("data")
            json.beginArray("events")
            // Events of one pack have one time.
            var (time, text) = (last.time, SystemTime.text(last.time))
            for item in items {
                if item.time != time { (time, text) = (item.time, SystemTime.text(item.time)) }
                Self.write(item, text, campaign, isTest, &json)
            }
            json.endArray()
            json.endObject()
            json.endObject()
        }
        octets = json.octets
        events = items.count
    }

    private static func write(
        _ item: Item, _ time: String, _ campaign: String?, _ isTest: Bool, _ json: inout JSONOctets
    ) {
        let event = item.event
        json.beginObject()
        json.member("type", event.type.name)
        json.member("timestamp", time)
        json.beginObject("data")
        json.member("id", item.id.description)
        if isTest { json.members(raw: #""test":true"#) }
        switch event.detail {
        case .members(let text):
            if !text.isEmpty { json.members(raw: text) }
            if event.type == .suppressionAdded || event.type == .suppressionRemoved {
                json.member("address", event.address)
            }
        case .message(let facts):
            json.member("campaign", campaign)
            json.member("index", facts.index < 0 ? nil : Int64(facts.index))
            json.member("recipient", facts.fingerprint.bytes.hexadecimal)
            json.member("address", event.address)
            json.member("code", facts.code == 0 ? nil : Int64(facts.code))
            json.member("enhanced", facts.enhanced?.description)
            json.member("reply", event.reply)
        }
        json.endObject()
        json.endObject()
    }
}

extension WebhookMessage {
    /// The events that the endpoint wants.
    ///
    /// - Parameter key: opens what names somebody; nil where that is gone.
    func items(_ types: WebhookEventTypes, account: AccountID, campaign: CampaignID?, key: SealingKey?) -> [WebhookBody
        .Item]
    {
        var items: [WebhookBody.Item] = []
        for row in rows {
            // What cannot be read is told to nobody, and must not keep the rest.
            guard let pack = try? Self.pack(row, account, campaign, key) else { continue }
            let last = min(Int(row.number == rows[rows.count - 1].number ? end : row.end), pack.events.count)
            guard Int(row.first) < last else { continue }
            for place in Int(row.first)..<last {
                let event = pack.events[place]
                guard types.contains(event.type) || event.type == .test else { continue }
                items.append(.init(id: .init(number: row.number, place: place), time: pack.time, event: event))
            }
        }
        return items
    }

    private static func pack(
        _ row: Row, _ account: AccountID, _ campaign: CampaignID?, _ key: SealingKey?
    ) throws -> WebhookPack? {
        guard let facts = row.facts else { return nil }
        let names = try? row.names.flatMap { names in
            try key?.open(names, as: WebhookOutbox.sealing(of: account, campaign))
        }
        return try WebhookPack(facts: facts, privateOctets: names ?? nil)
    }
}
