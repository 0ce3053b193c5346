import Campaigns
import Foundation
import HTTPTypes

/// The body of `POST /v1/campaigns/{id}/send`; may be empty.
struct SendPayload: StrictPayload {
    /// RFC 3339, at most a year ahead. A time that has passed means now.
    let scheduledAt: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case scheduledAt = "scheduled_at"
    }

    /// - Returns: nil where the campaign is to be sent now.
    func scheduledSeconds(now: Date) throws -> Int64? {
        guard let scheduledAt else { return nil }
        guard let date = Self.date(scheduledAt) else {
            throw Problem.invalid(
                "invalid_field", "scheduled_at is not an RFC 3339 time such as 2026-11-21T08:00:00Z.",
                fields: ["scheduled_at"])
        }
        guard date <= now.addingTimeInterval(Double(CampaignLimits.scheduleAheadSeconds)) else {
            throw Problem.invalid("invalid_field", "scheduled_at is over a year ahead.", fields: ["scheduled_at"])
        }
        return date <= now ? nil : Int64(date.timeIntervalSince1970.rounded(.up))
    }

    private static func date(_ text: String) -> Date? {
        guard text.utf8.count <= 40 else { return nil }
        let whole = ISO8601DateFormatter()
        let fractional = ISO8601DateFormatter()
        fractional.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        return whole.date(from: text) ?? fractional.date(from: text)
    }
}
