import Campaigns
import Logging
import MailTypes

/// Ends a campaign whose recipients all have their outcome: its data is destroyed.
struct CampaignCompletion: Sendable {
    let store: DeliveryStore
    let runtimes: RuntimeCache
    let logger: Logger

    /// - Returns: false where somebody holds the account's rows: its other campaigns would only wait as well.
    @discardableResult
    func complete(_ account: AccountID, _ campaign: CampaignID) async -> Bool {
        runtimes.forget(account, campaign)
        do {
            _ = try await store.complete(account, campaign)
        } catch {
            // The regular sweep tries again.
            logger.warning("campaign not completed", metadata: ["campaign": "\(campaign)", "error": "\(error)"])
            return !DeliveryStore.isTimeout(error)
        }
        return true
    }
}
