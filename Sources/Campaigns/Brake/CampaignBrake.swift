package import Feedback
import MailTypes
import Postgres

/// How far complaints and bounces have braked a campaign: what was done last, and by which counts.
package struct CampaignBrake: Sendable, Hashable {
    package let level: ComplaintBrake.Level
    package let cause: ComplaintBrake.Cause
    /// The counts are of the account as a whole.
    package let isOfAccount: Bool
    /// The mailbox provider whose users alone were counted; nil where all were.
    package let provider: String?
    package let counts: ComplaintBrake.Counts
    /// Seconds since 1970.
    package let setAt: Int64
}

extension CampaignBrake {
    /// Nil where the campaign is not braked.
    static func read(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws -> CampaignBrake? {
        let rows = try await connection.query(
            """
            SELECT level, cause, is_of_account, provider, delivered, hard_bounces, complaints, set_at FROM campaign_brakes
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND level > 0
            """)
        guard let row = rows.first else { return nil }
        let (number, causeText, isOfAccount, provider, delivered, bounces, complaints, setAt) = try row.decode(
            Int16.self, String.self, Bool.self, String?.self, Int64.self, Int64.self, Int64.self, PostgresTimestamp.self
        )
        guard let level = ComplaintBrake.Level(rawValue: number), let cause = ComplaintBrake.Cause(rawValue: causeText)
        else { throw OctetReader.malformed }
        return CampaignBrake(
            level: level, cause: cause, isOfAccount: isOfAccount, provider: provider,
            counts: .init(delivered: delivered, hardBounces: bounces, complaints: complaints), setAt: setAt.seconds)
    }
}
