import MailTypes
package import Postgres
import Synchronization

/// What a request was told of the limit of its key or its user.
package struct RequestGrant: Sendable, Hashable {
    package let isGranted: Bool
    /// Requests in a window.
    package let limit: Int
    /// How many of them are left.
    package let remaining: Int
    /// Until the next window, from 1 on.
    package let secondsLeft: Int
}

/// Bounds the requests of each key, or of each user who has signed in, exactly and over all nodes: in a window of a minute that begins with its first request
/// there are so many and no more.
///
/// The count is a row of the database. Requests of a key or a user that come to a node while it asks are counted together by its next
/// question, so that each has one question under way at a time, however many requests there are. Who has used up the
/// window is refused without a question until the window ends. A crash of the database forgets the counts.
package final class RequestLimiter: Sendable {
    private typealias Waiter = CheckedContinuation<RequestGrant, any Error>

    /// Whose requests are counted.
    private enum Subject: Hashable {
        case key(APIKeyID, AccountID)
        /// All sessions together.
        case user(UserID, AccountID)
    }

    private struct State {
        /// Who is asked for, and who waits for the next question.
        var waiting: [Subject: [Waiter]] = [:]
        /// Who has used up the window, and when it ends.
        var exhausted: [Subject: (limit: Int, end: ContinuousClock.Instant)] = [:]
    }

    private let pool: PostgresPool
    private let perMinute: Int?
    private let state = Mutex(State())

    /// - Parameter perMinute: for users, and for keys without a limit of their own; nil: none.
    package init(pool: PostgresPool, perMinute: Int?) {
        self.pool = pool
        self.perMinute = perMinute
    }

    /// Counts a request.
    ///
    /// - Returns: nil where the key has no limit
    /// - Throws: `PostgresError` where the database cannot tell
    package func take(_ key: AuthenticatedKey) async throws -> RequestGrant? {
        try await take(.key(key.id, key.account), key.requestsPerMinute ?? perMinute)
    }

    /// Counts a request of a session.
    ///
    /// - Returns: nil where users have no limit
    /// - Throws: `PostgresError` where the database cannot tell
    package func take(_ user: AuthenticatedUser) async throws -> RequestGrant? {
        try await take(.user(user.user, user.kind.account), perMinute)
    }

    private func take(_ subject: Subject, _ limit: Int?) async throws -> RequestGrant? {
        guard let limit else { return nil }
        if let refusal = refusal(subject, limit) { return refusal }
        return try await withCheckedThrowingContinuation { waiter in
            let isFirst = state.withLock { state in
                guard state.waiting[subject] == nil else {
                    state.waiting[subject]?.append(waiter)
                    return false
                }
                state.waiting[subject] = [waiter]
                return true
            }
            if isFirst { ask(for: subject, limit, as: ConnectionOwner.current) }
        }
    }

    private func refusal(_ subject: Subject, _ limit: Int) -> RequestGrant? {
        let now = ContinuousClock.now
        return state.withLock { state in
            guard let (known, end) = state.exhausted[subject] else { return nil }
            guard known == limit, end > now else {
                state.exhausted[subject] = nil
                return nil
            }
            let seconds = Int((end - now).components.seconds) + 1
            return RequestGrant(isGranted: false, limit: limit, remaining: 0, secondsLeft: seconds)
        }
    }

    /// Until nobody waits. Questions go to the database together with what else is asked for their owner at the moment, and each
    /// is followed by the next where it was answered.
    private func ask(for subject: Subject, _ limit: Int, as owner: ConnectionOwner?) {
        guard let waiters = next(subject) else { return }
        pool.write(question(waiters.count, of: subject, limit), as: owner) { [self] answer in
            do {
                let (granted, used, seconds) = try answer.get().only.decode(Int.self, Int.self, Int.self)
                if granted < waiters.count { exhaust(subject, limit, seconds) }
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
            ask(for: subject, limit, as: owner)
        }
    }

    private func next(_ subject: Subject) -> [Waiter]? {
        state.withLock { state in
            guard let waiters = state.waiting[subject], !waiters.isEmpty else {
                state.waiting[subject] = nil
                return nil
            }
            state.waiting[subject] = []
            return waiters
        }
    }

    private func exhaust(_ subject: Subject, _ limit: Int, _ seconds: Int) {
        let now = ContinuousClock.now
        state.withLock { state in
            if state.exhausted.count >= IdentityLimits.cachedKeys {
                state.exhausted = state.exhausted.filter { $0.value.end > now }
            }
            state.exhausted[subject] = (limit, now + .seconds(seconds))
        }
    }

    /// Grants as much as the limit leaves, in a new window where the last is over; a clock that was set back begins a new one
    /// too. It is a statement and no function: a session plans it once, where it would plan a function's at each call
    /// (decision 0128).
    ///
    /// It answers how many of the requests were granted, how many the window has had, and the seconds until it ends.
    private func question(_ requests: Int, of subject: Subject, _ limit: Int) -> SQL {
        let (table, column, account, number) =
            switch subject {
            case .key(let key, let account): ("request_windows", "key_id", account, key.rawValue)
            case .user(let user, let account): ("user_request_windows", "user_id", account, user.rawValue)
            }
        let inNewWindow = Int32(clamping: min(requests, limit))
        return """
            INSERT INTO \(unescaped: table) AS w (account_id, \(unescaped: column), started_at, used, granted)
            VALUES (\(account.rawValue), \(number), now(), \(inNewWindow), \(inNewWindow))
            ON CONFLICT (account_id, \(unescaped: column)) DO UPDATE SET (started_at, used, granted) = (
                SELECT CASE WHEN o.is_open THEN w.started_at ELSE now() END,
                    CASE WHEN o.is_open THEN w.used + o.granted ELSE excluded.used END,
                    CASE WHEN o.is_open THEN o.granted ELSE excluded.granted END
                FROM (SELECT abs(extract(epoch FROM now() - w.started_at)) < 60 AS is_open,
                    greatest(0, least(\(Int32(clamping: requests)), \(Int32(clamping: limit)) - w.used)) AS granted) o)
            RETURNING w.granted, w.used,
                least(60, greatest(1, ceil(extract(epoch FROM w.started_at - now()) + 60)))::integer
            """
    }
}
