import Campaigns
import Feedback
import HTTPTypes
import Hummingbird
import MailTypes
import Postgres
import Vault

/// `/u/{token}`: what stands behind List-Unsubscribe (RFC 8058). A visit asks, a POST acts; no login, no cookie, and nothing
/// of the campaign is needed, so it works after the purge.
struct UnsubscribeRoutes: Sendable {
    private let unsubscriber: Unsubscriber
    private let campaigns: CampaignService
    private let pace = NetworkPace(burst: APILimits.publicBurst, perSecond: APILimits.publicPerSecond)

    init(unsubscriber: Unsubscriber, campaigns: CampaignService) {
        self.unsubscriber = unsubscriber
        self.campaigns = campaigns
    }

    func add(to routes: OperationRoutes) {
        routes.on(.confirmUnsubscribe, use: ask)
        routes.on(.unsubscribe, use: unsubscribe)
    }

    /// Mail scanners follow links, and a visit must not unsubscribe anybody (RFC 8058 §3.1).
    private func ask(_ request: Request, _ context: APIContext) async throws -> Response {
        try await answer(request, context) { text, languages in
            guard let recipient = try await unsubscriber.recipient(text) else { return nil }
            return UnsubscribePage(.ask, from: try await sender(of: recipient), for: languages)
        }
    }

    private func unsubscribe(_ request: Request, _ context: APIContext) async throws -> Response {
        _ = try await request.wholeBody(limit: APILimits.unsubscribeBodyBytes, context)
        return try await answer(request, context) { text, languages in
            guard let recipient = try await unsubscriber.recipient(text), try await unsubscriber.unsubscribe(text)
            else { return nil }
            return UnsubscribePage(.done, from: try await sender(of: recipient), for: languages)
        }
    }

    /// Only broken links count against a network: a mailbox provider's clicks for a great many recipients. Once it has
    /// used up its share, its visits are put off unseen, and its clicks only where the token is not ours.
    ///
    /// - Parameter page: nil where the token is not ours.
    private func answer(
        _ request: Request, _ context: APIContext,
        page: (String, AcceptLanguage) async throws -> UnsubscribePage?
    ) async throws -> Response {
        let languages = AcceptLanguage(request.headers[.acceptLanguage])
        let network = ClientNetwork(context.client.address)
        let isBusy = !pace.bears(APILimits.brokenLinkCost, from: network)
        if isBusy, request.method != .post { return UnsubscribePage(.busy, for: languages).response() }
        if let text = token(context), let page = try await page(text, languages) { return page.response() }
        pace.charge(APILimits.brokenLinkCost, to: network)
        return UnsubscribePage(isBusy ? .busy : .broken, for: languages).response()
    }

    private func token(_ context: APIContext) -> String? {
        guard let text = try? context.pathParameter("token"), text.utf8.count <= APILimits.tokenBytes else {
            return nil
        }
        return text
    }

    /// The domain that the mail came from. The campaign's row keeps it, unlike the name in its From, which goes with its
    /// content.
    private func sender(of recipient: RecipientToken) async throws -> String? {
        // Recipients have a share of the connections of their own, as where they are unsubscribed.
        try await ConnectionOwner.$current.withValue(.recipients(ofAccount: recipient.account.rawValue)) {
            try await campaigns.senderDomain(of: recipient.account, recipient.campaign)
        }
    }
}
