import MailMessage
import MailTypes
import Postgres
import Vault

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// How many recipients lack values for tags without a fallback. Those on the suppression list are not counted: they get
/// no mail in any case.
package struct LackingVariables: Codable, Sendable, Hashable {
    /// Recipients who lack one at least.
    package var recipients = 0
    /// Recipients by variable, under its name in the template.
    package var variables: [String: Int] = [:]

    package init() {}

    package mutating func add(_ names: some Sequence<String>) {
        recipients += 1
        for name in names { variables[name, default: 0] += 1 }
    }

    mutating func add(_ other: LackingVariables) {
        recipients += other.recipients
        variables.merge(other.variables, uniquingKeysWith: +)
    }

    /// The most frequent ones, at most ``CampaignLimits/reportedVariables``, by name where as many lack them.
    package var mostFrequent: [(name: String, recipients: Int)] {
        variables.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(CampaignLimits.reportedVariables).map {
            (name: $0.key, recipients: $0.value)
        }
    }
}

// Names of variables are the customer's own, so they are sealed with the content, and go with it.
extension LackingVariables {
    /// None where no upload found any.
    static func read(
        _ account: AccountID, _ campaign: CampaignID, key: SealingKey, on connection: PostgresConnection
    ) async throws -> LackingVariables {
        let sealed = try await connection.query(
            """
            SELECT lacking FROM campaign_content
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """
        ).first?.decode(column: 0, as: [UInt8]?.self)
        guard let sealed else { return LackingVariables() }
        let octets = try key.open(sealed, as: context(account, campaign))
        return try JSONDecoder().decode(LackingVariables.self, from: Data(octets))
    }

    func write(
        _ account: AccountID, _ campaign: CampaignID, key: SealingKey, on connection: PostgresConnection
    ) async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let sealed = try key.seal([UInt8](encoder.encode(self)), as: Self.context(account, campaign))
        try await connection.query(
            """
            UPDATE campaign_content SET lacking = \(sealed)
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
    }

    private static func context(_ account: AccountID, _ campaign: CampaignID) -> SealContext {
        SealContext(account: account, campaign: campaign, purpose: .content, label: "lacking variables")
    }
}
