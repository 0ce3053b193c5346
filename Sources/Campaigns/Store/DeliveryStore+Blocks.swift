package import MailTypes
import Postgres

extension DeliveryStore {
    /// Pauses a campaign whose mail is refused for its sender, so that its customer can mend the cause and resume it.
    ///
    /// - Parameter reason: for the customer and the operator; names no recipient.
    /// - Returns: false where there is nothing to pause any more.
    package func pauseBlocked(_ account: AccountID, _ campaign: CampaignID, reason: String) async throws -> Bool {
        do {
            try await records.withTransaction { connection in
                try await Campaign.pause(account, campaign, reason: reason, on: connection)
            }
            return true
        } catch let error as CampaignError where error.code == .notFound || error.code == .illegalTransition {
            return false
        }
    }
}
