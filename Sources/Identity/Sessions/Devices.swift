import MailTypes
import Postgres

/// Browsers that somebody has signed in with by a code. A new password, and the end of all sessions, make them new again.
enum Devices {
    /// - Parameter device: the secret that the browser shows; nil where it shows none
    static func isKnown(_ device: String?, of user: User, on connection: PostgresConnection) async throws -> Bool {
        guard let device, RefreshSecret.isSecret(device) else { return false }
        return try await !connection.query(
            """
            SELECT FROM user_devices d JOIN users u USING (account_id, user_id)
            WHERE d.account_id = \(user.kind.account.rawValue) AND d.user_id = \(user.id.rawValue)
                AND d.device_hash = \(RefreshSecret.hash(of: device)) AND d.user_generation = u.generation
                AND d.created_at > now() - \(PeopleLimits.deviceSeconds) * interval '1 second'
            """
        ).isEmpty
    }

    /// Makes a browser known. The user's row is locked.
    ///
    /// - Returns: the secret that it is to show
    static func add(to user: User, on connection: PostgresConnection) async throws -> Redacted<String> {
        let device = RefreshSecret.random()
        let (account, number) = (user.kind.account.rawValue, user.id.rawValue)
        try await connection.query(
            """
            INSERT INTO user_devices (account_id, user_id, device_hash, user_generation)
            SELECT account_id, user_id, \(RefreshSecret.hash(of: device)), generation FROM users
            WHERE account_id = \(account) AND user_id = \(number)
            """)
        try await connection.query(
            """
            DELETE FROM user_devices WHERE account_id = \(account) AND user_id = \(number) AND device_hash IN (
                SELECT device_hash FROM user_devices WHERE account_id = \(account) AND user_id = \(number)
                ORDER BY created_at DESC, device_hash OFFSET \(PeopleLimits.devicesOfUser))
            """)
        return Redacted(device)
    }

    /// - Returns: how many were forgotten
    static func sweep(on pool: PostgresPool) async throws -> Int {
        try await pool.sweep(
            """
            DELETE FROM user_devices WHERE (account_id, user_id, device_hash) IN (
                SELECT account_id, user_id, device_hash FROM user_devices
                WHERE created_at < now() - \(PeopleLimits.deviceSeconds) * interval '1 second'
                LIMIT \(IdentityLimits.sweepRows))
            """)
    }
}
