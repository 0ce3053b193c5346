import MailTypes
import Postgres

/// Channels of NOTIFY. A notification arrives when its transaction commits; it may be lost with a connection, so
/// listeners also look from time to time.
package enum CampaignChannel {
    /// There may be batches to claim. No payload.
    package static let work = "sluice_work"
    /// A campaign's state changed. Payload: `account/campaign`, both as plain numbers.
    package static let progress = "sluice_progress"

    static func notifyWork(on connection: PostgresConnection) async throws {
        try await connection.query("SELECT pg_notify(\(work), '')")
    }

    static func notifyProgress(
        _ account: AccountID, _ campaign: CampaignID, on connection: PostgresConnection
    ) async throws {
        try await connection.query("SELECT pg_notify(\(progress), \("\(account.rawValue)/\(campaign.rawValue)"))")
    }
}
