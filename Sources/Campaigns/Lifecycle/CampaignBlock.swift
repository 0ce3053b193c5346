package import MailTypes
import Postgres

/// A reply by which receivers have refused a campaign's mail for what its sender is, does or sends.
package struct CampaignBlock: Sendable, Hashable {
    /// What such replies have in common; their words differ from mail to mail.
    package struct Reply: Sendable, Hashable {
        package let code: Int
        package let enhanced: EnhancedStatusCode?

        package init(code: Int, enhanced: EnhancedStatusCode?) {
            self.code = code
            self.enhanced = enhanced
        }
    }

    package let reply: Reply
    /// The words of the last one, without addresses; empty once the campaign's data is destroyed.
    package let text: String
    /// Attempts that were refused so.
    package let count: Int
    /// When the first and the last of them were, in seconds since 1970.
    package let firstAt: Int64
    package let lastAt: Int64
}

extension CampaignBlock {
    /// Those of a campaign, the most frequent first.
    static func read(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> [CampaignBlock] {
        try await connection.query(
            """
            SELECT code, enhanced, text, count, first_at, last_at FROM campaign_blocks
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            ORDER BY count DESC, code, enhanced
            """
        ).map { row in
            let (code, enhanced, text, count, firstAt, lastAt) = try row.decode(
                Int32.self, String.self, String.self, Int64.self, PostgresTimestamp.self, PostgresTimestamp.self)
            return CampaignBlock(
                reply: Reply(code: Int(code), enhanced: EnhancedStatusCode(enhanced)), text: text, count: Int(count),
                firstAt: firstAt.seconds, lastAt: lastAt.seconds)
        }
    }
}
