import Campaigns
import Foundation
import HTTPTypes

/// The body of `POST /v1/campaigns/{id}/send`; may be empty.
struct SendPayload: StrictPayload {
    /// RFC 3339, at most a year ahead. One that has just passed means now; one that passed over a minute ago is a mistake.
    let scheduledAt: String?
    /// Instead of what the campaign says.
    let missingVariables: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case scheduledAt = "scheduled_at"
        case missingVariables = "missing_variables"
    }

    /// - Returns: nil where the campaign is to be sent now.
    func scheduledSeconds(now: Date) throws -> Int64? {
        guard let scheduledAt else { return nil }
        guard let date = InternetTime.date(scheduledAt) else {
            throw Problem.invalid(
                "invalid_field", "scheduled_at is not an RFC 3339 time such as 2026-11-21T08:00:00Z.",
                fields: ["scheduled_at"])
        }
        guard date <= now.addingTimeInterval(Double(CampaignLimits.scheduleAheadSeconds)) else {
            throw Problem.invalid("invalid_field", "scheduled_at is over a year ahead.", fields: ["scheduled_at"])
        }
        guard date >= now.addingTimeInterval(-Double(CampaignLimits.scheduleBehindSeconds)) else {
            throw Problem.invalid(
                "invalid_field", "scheduled_at has passed; leave it out to send now.", fields: ["scheduled_at"])
        }
        return date <= now ? nil : Int64(date.timeIntervalSince1970.rounded(.up))
    }
}
