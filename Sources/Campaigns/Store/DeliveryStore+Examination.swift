package import MailTypes
import Postgres
import Vault

/// A campaign under way whose mail cannot be made, and why.
package struct CampaignProblem: Sendable {
    package let account: AccountID
    package let campaign: CampaignID
    package let detail: String
    /// Its key is missing or does not open: somebody may bring it back.
    package let isOfKey: Bool
}

extension DeliveryStore {
    /// Looks whether the stored messages of campaigns that were sent and have not ended can be opened, the newest first.
    ///
    /// - Parameter limit: of campaigns that are looked at.
    /// - Returns: those whose key is missing or whose message is damaged.
    package func campaignProblems(limit: Int) async throws -> [CampaignProblem] {
        let campaigns = try await housekeeping.query(
            """
            SELECT account_id, campaign_id FROM campaigns
            WHERE purged_at IS NULL AND results_until IS NULL AND state <> 'draft'
                AND state IN ('scheduled', 'queued', 'sending', 'paused') AND open_batches > 0
            ORDER BY campaign_id DESC LIMIT \(Int32(limit))
            """
        ).map { try $0.decode(Int64.self, Int64.self) }
        var problems: [CampaignProblem] = []
        for (account, campaign) in campaigns {
            let id = (AccountID(rawValue: account), CampaignID(rawValue: campaign))
            do {
                _ = try await sendable(id.0, id.1)
            } catch let error as UnreadableContent {
                problems.append(
                    CampaignProblem(account: id.0, campaign: id.1, detail: "\(error)", isOfKey: false))
            } catch let error where error is VaultError || (error as? CampaignError) == .purged {
                // It may have ended since it was listed; then its key is gone as it should be.
                guard try await isUnderWay(id.0, id.1) else { continue }
                let detail = "the key of campaign \(id.1) is missing, or is not the one"
                problems.append(CampaignProblem(account: id.0, campaign: id.1, detail: detail, isOfKey: true))
            } catch let error where !(error is PostgresError) && !(error is CancellationError) {
                let detail = "the stored message of campaign \(id.1) is not understood: \(error)"
                problems.append(CampaignProblem(account: id.0, campaign: id.1, detail: detail, isOfKey: false))
            }
        }
        return problems
    }

    private func isUnderWay(_ account: AccountID, _ campaign: CampaignID) async throws -> Bool {
        try await !housekeeping.query(
            """
            SELECT FROM campaigns
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
                AND purged_at IS NULL AND results_until IS NULL AND open_batches > 0
            """
        ).isEmpty
    }
}
