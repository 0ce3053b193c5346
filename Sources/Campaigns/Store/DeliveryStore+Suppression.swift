import Feedback
package import MailTypes
import Postgres
package import Vault

/// What a campaign has found of an address.
package struct FoundAddress: Sendable, Hashable {
    package let fingerprint: Fingerprint
    package let campaign: CampaignID
    package let finding: AddressFinding

    package init(_ fingerprint: Fingerprint, in campaign: CampaignID, _ finding: AddressFinding) {
        self.fingerprint = fingerprint
        self.campaign = campaign
        self.finding = finding
    }
}

extension DeliveryStore {
    /// Suppresses addresses whose servers said that they do not exist, and those that have been found dead by several
    /// campaigns. To say the same of a campaign again changes nothing.
    ///
    /// - Parameter deadAfter: campaigns that must find an address dead; 0 for never.
    package func note(_ found: [FoundAddress], account: AccountID, deadAfter: Int) async throws {
        _ = try await records.withTransaction { connection in
            var suppressed = found.filter { $0.finding == .missing }.map(\.fingerprint)
            let dead = deadAfter == 0 ? [] : found.filter { $0.finding == .dead }
            for (campaign, found) in Dictionary(grouping: dead, by: \.campaign).sorted(by: { $0.key < $1.key }) {
                suppressed += try await DeadAddresses.note(
                    Set(found.map(\.fingerprint)), account: account, campaign: campaign, suppressAfter: deadAfter,
                    on: connection)
            }
            try await suppressions.add(
                suppressed.map { NewSuppression($0, .hardBounce) }, account: account, origin: .reply, on: connection)
        }
    }
}
