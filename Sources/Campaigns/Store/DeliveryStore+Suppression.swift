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
    /// Which of these each account must not mail at this moment. One statement for all accounts.
    package func suppressed(_ fingerprints: [AccountID: [Fingerprint]]) async throws -> [AccountID: Set<Fingerprint>] {
        let asked = fingerprints.filter { !$0.value.isEmpty }
        guard !asked.isEmpty else { return [:] }
        return try await journal.withConnection { connection in
            try await suppressions.which(of: asked, on: connection)
        }
    }

    /// Suppresses addresses whose servers said that they do not exist, and those that have been found dead by several
    /// campaigns. To say the same of a campaign again changes nothing. A few statements for all accounts.
    ///
    /// - Parameter deadAfter: campaigns that must find an address dead; 0 for never.
    func note(
        _ found: [(account: AccountID, addresses: [FoundAddress])], deadAfter: Int, on connection: PostgresConnection
    ) async throws {
        var suppressed: [(account: AccountID, fingerprint: Fingerprint)] = []
        var dead: Set<DeadAddresses.Found> = []
        for (account, addresses) in found {
            for address in addresses {
                switch address.finding {
                case .nothing: break
                case .missing: suppressed.append((account, address.fingerprint))
                case .dead where deadAfter == 0: break
                case .dead: dead.insert(.init(account, address.fingerprint, in: address.campaign))
                }
            }
        }
        suppressed += try await DeadAddresses.note(dead, suppressAfter: deadAfter, on: connection)
        try await suppressions.addHardBounces(suppressed, on: connection)
    }
}
