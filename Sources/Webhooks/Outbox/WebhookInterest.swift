package import MailTypes
package import Postgres
import Synchronization

/// Which accounts have endpoints for which events, as of a few seconds ago: so that an account without endpoints costs the
/// delivery of its mail nothing.
///
/// Until it was asked for the first time, and where it could not be asked for a while, every account counts as interested:
/// the outbox asks the tables anyway.
package final class WebhookInterest: Sendable {
    private struct State {
        var types: [AccountID: WebhookEventTypes] = [:]
        var readAt: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    /// Older knowledge counts for nothing.
    private static let longest = Duration.seconds(30)

    package init() {}

    /// What the account wants to be told of.
    package func types(of account: AccountID) -> WebhookEventTypes {
        let now = ContinuousClock.now
        return state.withLock { state in
            guard let readAt = state.readAt, now - readAt < Self.longest else { return .all }
            return state.types[account] ?? []
        }
    }

    /// Reads all endpoints: one small row each.
    package func refresh(_ records: PostgresPool) async throws {
        let rows = try await records.query(
            "SELECT account_id, bit_or(types) FROM webhook_endpoints WHERE disabled_reason IS NULL GROUP BY account_id")
        var types: [AccountID: WebhookEventTypes] = [:]
        for row in rows {
            let (account, mask) = try row.decode(Int64.self, Int64.self)
            types[AccountID(rawValue: account)] = WebhookEventTypes(rawValue: mask)
        }
        state.withLock { $0 = State(types: types, readAt: .now) }
    }

    /// Until cancelled.
    package func keepFresh(_ records: PostgresPool, every interval: Duration = .seconds(2)) async {
        while !Task.isCancelled {
            // What cannot be read is read the next time.
            try? await refresh(records)
            try? await Task.sleep(for: interval)
        }
    }
}
