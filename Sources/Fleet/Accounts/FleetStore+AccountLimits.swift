package import MailTypes
package import Postgres

extension FleetStore {
    /// All that was set, one row each.
    package static func limits(on pool: PostgresPool) async throws -> [AccountID: [AccountLimit: Int]] {
        try await pool.query("SELECT account_id, name, value FROM account_limits").reduce(into: [:]) { limits, row in
            let (account, name, value) = try row.decode(Int64.self, String.self, Int64.self)
            // A newer version may have set what this one does not know, or more than it bears.
            guard let limit = AccountLimit(rawValue: name), let value = Int(exactly: value) else { return }
            limits[AccountID(rawValue: account), default: [:]][limit] =
                min(max(value, limit.range.lowerBound), limit.range.upperBound)
        }
    }

    /// Gives a new test account those limits that its account still has as strangers have them (`AccountLimit.ofStrangers`): it has
    /// room of its own for all that costs no credits. What an operator has set otherwise stays with the live account.
    package static func keepStrangersLimits(of test: AccountID, on connection: PostgresConnection) async throws {
        var values: [AccountLimit: Int] = [:]
        let rows = try await connection.query(
            "SELECT name, value FROM account_limits WHERE account_id = \(test.live.rawValue)")
        for row in rows {
            let (name, value) = try row.decode(String.self, Int64.self)
            guard let limit = AccountLimit(rawValue: name), let strangers = AccountLimit.ofStrangers[limit],
                value == Int64(strangers)
            else { continue }
            values[limit] = strangers
        }
        try await set(values, reset: [], for: test, on: connection)
    }

    /// Sets some of an account's limits, and takes back others. All or nothing; nodes learn of it within a second.
    ///
    /// - Parameter values: each within its `range`
    package static func set(
        _ values: [AccountLimit: Int], reset: Set<AccountLimit>, for account: AccountID,
        on connection: PostgresConnection
    ) async throws {
        for (limit, value) in values {
            precondition(limit.range.contains(value), "checked by the caller")
            try await connection.query(
                """
                INSERT INTO account_limits (account_id, name, value)
                VALUES (\(account.rawValue), \(limit.rawValue), \(Int64(value)))
                ON CONFLICT (account_id, name) DO UPDATE SET value = excluded.value
                """)
        }
        try await connection.query(
            """
            DELETE FROM account_limits
            WHERE account_id = \(account.rawValue) AND name = ANY(\(reset.map(\.rawValue).sorted()))
            """)
    }
}
