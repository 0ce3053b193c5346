import MailTypes

/// An endpoint. Unique within its account. Text form: `whk_` and 13 digits, as of ``CampaignID``.
package struct WebhookID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    /// - Parameter millisecondsSince1970: the time of creation.
    package static func make(
        millisecondsSince1970: Int64, using generator: inout some RandomNumberGenerator
    ) -> WebhookID {
        WebhookID(
            rawValue: CampaignID.make(millisecondsSince1970: millisecondsSince1970, using: &generator).rawValue)
    }

    package init?(_ text: String) {
        guard text.hasPrefix("whk_"), let number = CampaignID("cmp_" + text.dropFirst(4)) else { return nil }
        self.init(rawValue: number.rawValue)
    }

    package var description: String { "whk_" + CampaignID(rawValue: rawValue).description.dropFirst(4) }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One event. Text form: `evt_`, its number in base 32, and its place in the pack. It stays the same when the event is sent
/// again, so receivers can tell what they know already.
struct WebhookEventID: Hashable, Sendable, CustomStringConvertible {
    let number: Int64
    let place: Int

    init(number: Int64, place: Int) {
        self.number = number
        self.place = place
    }

    init?(_ text: String) {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "evt", let number = CampaignID("cmp_" + parts[1]),
            let place = Int(parts[2]), (0..<WebhookLimits.packEvents).contains(place), String(place) == parts[2]
        else { return nil }
        self.init(number: number.rawValue, place: place)
    }

    var description: String { "evt_\(CampaignID(rawValue: number).description.dropFirst(4))_\(place)" }
}
