import Campaigns
import Logging
import MailTypes

/// Pauses campaigns too much of whose mail is refused for its sender, and tells customer and operator why.
struct BlockedCampaigns: Sendable {
    let store: DeliveryStore
    let runtimes: RuntimeCache
    let metrics: DeliveryMetrics
    let logger: Logger

    /// Returns at once; the campaign is paused in a moment.
    ///
    /// - Parameter refusal: the last of those that decided.
    @Sendable func pause(_ account: AccountID, _ campaign: CampaignID, _ refusal: RecipientReply) {
        let reply = "\(refusal.code)\(refusal.enhanced.map { " \($0)" } ?? "") \(refusal.text.addressesMasked)"
        let reason = "receivers refuse this campaign's mail for its sender: \(reply.prefix(Self.mostCharacters))"
        Task { await pause(account, campaign, reason: reason) }
    }

    private func pause(_ account: AccountID, _ campaign: CampaignID, reason: String) async {
        for _ in 0..<Self.tries {
            do {
                guard try await store.pauseBlocked(account, campaign, reason: reason) else { return }
                metrics.count(\.campaignsBlocked)
                logger.error(
                    "campaign paused: its mail is blocked",
                    metadata: ["account": "\(account)", "campaign": "\(campaign)", "reason": "\(reason)"])
                // Resumed, it is judged anew.
                return runtimes.forget(account, campaign)
            } catch {
                logger.warning(
                    "blocked campaign not paused", metadata: ["campaign": "\(campaign)", "error": "\(error)"])
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private static let tries = 30
    private static let mostCharacters = 300
}
