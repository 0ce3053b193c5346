import Campaigns
import Feedback
import HTTPTypes
import Hummingbird
import MailTypes

/// `/v1/mailbox-providers`: how mail fares at each of them.
struct MailboxProviderRoutes: Sendable {
    let campaigns: CampaignService

    private static let defaultHours = 24

    func add(to routes: OperationRoutes) {
        routes.on(.listMailboxProviders, use: list)
    }

    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let query = request.uri.queryParameters
        let hours = try Self.hours(query.get("hours"))
        let campaign = try query.get("campaign").map { text in
            guard let campaign = CampaignID(text) else {
                throw Problem.invalid("invalid_field", "campaign is no id of a campaign.", fields: ["campaign"])
            }
            return campaign
        }
        let providers = try await campaigns.mailboxProviders(account, campaign, hours: hours)
        var json = JSONText()
        json.beginObject()
        json.member("hours", Int64(hours))
        json.key("data")
        json.beginArray()
        for (provider, counts) in providers { json.provider(provider, counts) }
        json.endArray()
        json.endObject()
        return Idempotency.Answer(status: .ok, body: json.text).response()
    }

    private static func hours(_ text: String?) throws -> Int {
        guard let text else { return defaultHours }
        guard let hours = Int(text), (1...FeedbackHours.keptHours).contains(hours) else {
            throw Problem.invalid(
                "invalid_field", "hours lies between 1 and \(FeedbackHours.keptHours).", fields: ["hours"])
        }
        return hours
    }
}

extension JSONText {
    fileprivate mutating func provider(_ name: String, _ counts: ComplaintBrake.Counts) {
        beginObject()
        member("provider", name)
        member("delivered", counts.delivered)
        member("hard_bounces", counts.hardBounces)
        member("complaints", counts.complaints)
        member("hard_bounce_rate", raw: "\(counts.hardBounceRate)")
        member("complaint_rate", raw: "\(counts.complaintRate)")
        endObject()
    }
}
