package import Postgres

/// What is known of a session. Nothing of it opens one.
package struct SessionRecord: Sendable, Hashable {
    package let id: SessionID
    package let user: UserID
    package let createdAt: PostgresTimestamp
    /// To the minute.
    package let lastSeenAt: PostgresTimestamp
    package let expiresAt: PostgresTimestamp
    /// `Firefox on Linux`; nil where it is not known.
    package let client: String?
    /// `192.0.2.0/24`, in which it began; nil where it is not known.
    package let network: String?
}

extension SessionRecord {
    /// What ``init(row:)`` reads, of a session `s`, its user `u` and its account's people `p`.
    static let columns = """
        s.session_id, s.user_id, s.created_at, s.last_seen_at, s.expires_at, s.client, s.network
        FROM sessions s JOIN users u USING (account_id, user_id) JOIN account_people p USING (account_id)
        """

    init(row: PostgresRow) throws {
        let (session, user, createdAt, lastSeenAt, expiresAt, client, network) = try row.decode(
            Int64.self, Int64.self, PostgresTimestamp.self, PostgresTimestamp.self, PostgresTimestamp.self,
            String?.self,
            String?.self)
        self.init(
            id: SessionID(rawValue: session), user: UserID(rawValue: user), createdAt: createdAt,
            lastSeenAt: lastSeenAt, expiresAt: expiresAt, client: client, network: network)
    }
}

/// Why something could not be done with a session, or in its name.
package enum SessionError: Error, Sendable, Hashable {
    /// It was ended meanwhile, or its user may do less by now.
    case isOver
    /// There is no such session that goes on.
    case notFound
}
