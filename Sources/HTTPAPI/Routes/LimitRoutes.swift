import Campaigns
import Hummingbird
import Identity
import MailTypes
import SendingDomains
import Webhooks

/// `/v1/limits`: what an account may pile up or have at work, and how much of it there is where counting costs nothing.
struct LimitRoutes: Sendable {
    private let limits: AccountLimits
    private let campaigns: CampaignService
    private let domains: SendingDomains
    private let keys: APIKeys
    private let webhooks: WebhookEndpoints

    init(_ services: APIServices) {
        limits = services.limits
        campaigns = services.campaigns
        domains = services.domains
        keys = services.keys
        webhooks = services.webhooks
    }

    func add(to routes: OperationRoutes) { routes.on(.getLimits, use: get) }

    private func get(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let campaigns = try await campaigns.count(of: account)
        let used: [AccountLimit: Int] = [
            .drafts: campaigns.drafts, .campaigns: campaigns.unfinished,
            .domains: try await domains.count(of: account), .keys: try await keys.count(of: account),
            .webhooks: try await webhooks.count(of: account),
        ]
        var json = JSONText()
        json.beginObject()
        json.key("data")
        json.beginArray()
        for limit in AccountLimit.allCases {
            json.beginObject()
            json.member("name", limit.rawValue)
            json.member("value", Int64(limits[limit, account] ?? limit.standard))
            json.member("used", used[limit].map { Int64($0) })
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return Idempotency.Answer(status: .ok, body: json.text).response()
    }
}
