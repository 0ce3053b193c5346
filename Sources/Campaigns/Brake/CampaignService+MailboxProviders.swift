package import Feedback
package import MailTypes
import Postgres

extension CampaignService {
    /// What became of mail at each mailbox provider in the last hours, the one that took most first.
    ///
    /// - Parameter campaign: nil for all of the account's.
    /// - Throws: ``CampaignError`` `.notFound`
    package func mailboxProviders(
        _ account: AccountID, _ campaign: CampaignID?, hours: Int
    ) async throws -> [(provider: String, counts: ComplaintBrake.Counts)] {
        guard let campaign else {
            return try await records.withConnection {
                try await ProviderHours.sums(of: account, hours: hours, on: $0)
            }
        }
        _ = try await get(account, campaign)
        let found = try await records.withConnection {
            try await ProviderHours.campaigns([campaign], of: account, hours: hours, on: $0)
        }
        return (found[campaign] ?? [:]).sorted {
            ($1.value.delivered, $0.key) < ($0.value.delivered, $1.key)
        }.map { ($0.key, $0.value) }
    }
}
