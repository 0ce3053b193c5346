import MailTypes
package import Postgres
import Synchronization

/// What a request was told of its key's limit.
package struct RequestGrant: Sendable, Hashable {
    package let isGranted: Bool
    /// Requests in a window.
    package let limit: Int
    /// How many of them the key has left.
    package let remaining: Int
    /// Until the next window, from 1 on.
    package let secondsLeft: Int
}

/// Bounds the requests of each key, exactly and over all nodes: in a window of a minute that begins with its first request
/// there are so many and no more.
///
/// The count is a row of the database. Requests of a key that come to a node while it asks are counted together by its next
/// question, so that a key has one question under way at a time, however many requests it sends. A key that has used up its
/// window is refused without a question until the window ends. A crash of the database forgets the counts.
package final class RequestLimiter: Sendable {
    private typealias Waiter = CheckedContinuation<RequestGrant, any Error>

    private struct State {
        /// Keys that are asked for, and who waits for the next question.
        var waiting: [APIKeyID: [Waiter]] = [:]
        /// Keys that have used up their window, and when it ends.
        var exhausted: [APIKeyID: (limit: Int, end: ContinuousClock.Instant)] = [:]
    }

    private let pool: PostgresPool
    private let perMinute: Int?
    private let state = Mutex(State())

    /// - Parameter perMinute: for keys without a limit of their own; nil: none.
    package init(pool: PostgresPool, perMinute: Int?) {
        self.pool = pool
        self.perMinute = perMinute
    }

    /// Counts a request.
    ///
    /// - Returns: nil where the key has no limit
    /// - Throws: `PostgresError` where the database cannot tell
    package func take(_ key: AuthenticatedKey) async throws -> RequestGrant? {
        guard let limit = key.requestsPerMinute ?? perMinute else { return nil }
        if let refusal = refusal(key.id, limit) { return refusal }
        return try await withCheckedThrowingContinuation { waiter in
            let isFirst = state.withLock { state in
                guard state.waiting[key.id] == nil else {
                    state.waiting[key.id]?.append(waiter)
                    return false
                }
                state.waiting[key.id] = [waiter]
                return true
            }
            if isFirst { Task { await ask(for: key, limit) } }
        }
    }

    private func refusal(_ key: APIKeyID, _ limit: Int) -> RequestGrant? {
        let now = ContinuousClock.now
        return state.withLock { state in
            guard let (known, end) = state.exhausted[key] else { return nil }
            guard known == limit, end > now else {
                state.exhausted[key] = nil
                return nil
            }
            let seconds = Int((end - now).components.seconds) + 1
            return RequestGrant(isGranted: false, limit: limit, remaining: 0, secondsLeft: seconds)
        }
    }

    /// Until nobody waits.
    private func ask(for key: AuthenticatedKey, _ limit: Int) async {
        while let waiters = next(key.id) {
            do {
                let (granted, used, seconds) = try await count(waiters.count, of: key, limit)
                if granted < waiters.count { exhaust(key.id, limit, seconds) }
                for (place, waiter) in waiters.enumerated() {
                    let remaining = place < granted ? limit - used + granted - place - 1 : 0
                    waiter.resume(
                        returning: RequestGrant(
                            isGranted: place < granted, limit: limit, remaining: max(0, remaining),
                            secondsLeft: seconds))
                }
            } catch {
                for waiter in waiters { waiter.resume(throwing: error) }
            }
        }
    }

    private func next(_ key: APIKeyID) -> [Waiter]? {
        state.withLock { state in
            guard let waiters = state.waiting[key], !waiters.isEmpty else {
                state.waiting[key] = nil
                return nil
            }
            state.waiting[key] = []
            return waiters
        }
    }

    private func exhaust(_ key: APIKeyID, _ limit: Int, _ seconds: Int) {
        let now = ContinuousClock.now
        state.withLock { state in
            if state.exhausted.count >= IdentityLimits.cachedKeys {
                state.exhausted = state.exhausted.filter { $0.value.end > now }
            }
            state.exhausted[key] = (limit, now + .seconds(seconds))
        }
    }

    /// Grants as much as the limit leaves, in a new window where the last is over; a clock that was set back begins a new one
    /// too. It is a statement and no function: a session plans it once, where it would plan a function's at each call
    /// (decision 0128).
    ///
    /// - Returns: how many of the requests were granted, how many the window has had, and the seconds until it ends.
    private func count(
        _ requests: Int, of key: AuthenticatedKey, _ limit: Int
    ) async throws -> (granted: Int, used: Int, seconds: Int) {
        let inNewWindow = Int32(clamping: min(requests, limit))
        return try await pool.query(
            """
            INSERT INTO request_windows AS w (account_id, key_id, started_at, used, granted)
            VALUES (\(key.account.rawValue), \(key.id.rawValue), now(), \(inNewWindow), \(inNewWindow))
            ON CONFLICT (account_id, key_id) DO UPDATE SET (started_at, used, granted) = (
                SELECT CASE WHEN o.is_open THEN w.started_at ELSE now() END,
                    CASE WHEN o.is_open THEN w.used + o.granted ELSE excluded.used END,
                    CASE WHEN o.is_open THEN o.granted ELSE excluded.granted END
                FROM (SELECT abs(extract(epoch FROM now() - w.started_at)) < 60 AS is_open,
                    greatest(0, least(\(Int32(clamping: requests)), \(Int32(clamping: limit)) - w.used)) AS granted) o)
            RETURNING w.granted, w.used,
                least(60, greatest(1, ceil(extract(epoch FROM w.started_at - now()) + 60)))::integer
            """
        ).only.decode(Int.self, Int.self, Int.self)
    }
}
