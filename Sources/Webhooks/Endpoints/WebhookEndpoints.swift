import Foundation
package import MailTypes
package import Postgres
package import Vault

/// The endpoints of accounts: what their owners do with them.
package struct WebhookEndpoints: Sendable {
    /// Run in the transaction of a change, with what is answered.
    package typealias CommitHook<Value> = (PostgresConnection, Value) async throws -> Void

    let records: PostgresPool
    let vault: Vault
    /// Whether addresses may be those of private networks, and without TLS.
    let allowsPrivate: Bool
    /// What was set for accounts.
    let limits: AccountLimits

    package init(
        records: PostgresPool, vault: Vault, allowsPrivate: Bool, limits: AccountLimits = AccountLimits()
    ) {
        self.limits = limits
        self.records = records
        self.vault = vault
        self.allowsPrivate = allowsPrivate
    }

    /// What a change leaves as it is: nil members.
    package struct Change: Sendable {
        package var url: String?
        package var types: WebhookEventTypes?
        package var batchSize: Int?
        package var description: String?
        /// False disables it; true enables it again.
        package var isActive: Bool?

        package init() {}
    }

    /// How many the account has.
    package func count(of account: AccountID) async throws -> Int {
        try await records.query(Self.count(of: account)).only.decode(Int.self)
    }

    private static func count(of account: AccountID) -> SQL {
        "SELECT count(*) FROM webhook_endpoints WHERE account_id = \(account.rawValue)"
    }

    // MARK: Making and changing

    /// - Returns: the endpoint, and its secret, which is never shown again.
    /// - Throws: ``WebhookError``
    package func create(
        _ account: AccountID, url: String, types: WebhookEventTypes, batchSize: Int? = nil, description: String = "",
        onCommit: CommitHook<(WebhookEndpoint, WebhookSecret)>? = nil
    ) async throws -> (WebhookEndpoint, WebhookSecret) {
        let url = try WebhookURL(url, allowsPrivate: allowsPrivate)
        let batchSize = batchSize ?? WebhookLimits.batchSize
        try Self.check(types: types, batchSize: batchSize, description: description)
        let secret = WebhookSecret()
        var generator = SystemRandomNumberGenerator()
        let id = WebhookID.make(
            millisecondsSince1970: SystemTime.microseconds() / 1_000, using: &generator)
        let settings = WebhookSettings(url: url.text, secrets: [.init(text: secret.text, until: nil)])
        let key = try await vault.accountKeys(account).sealing
        let sealed = try settings.sealed(key, account, id)
        return try await records.withTransaction { connection in
            // One creation of an account after the other: else two together pass the bound.
            try await connection.query("SELECT pg_advisory_xact_lock(\(Self.lockSpace + account.rawValue))")
            let count = try await connection.query(Self.count(of: account)).only.decode(Int64.self)
            let most = limits[.webhooks, account] ?? WebhookLimits.endpoints
            guard count < Int64(most) else {
                throw WebhookError(.tooManyWebhooks, "the account has at most \(most) webhooks; remove one")
            }
            try await connection.query(
                """
                INSERT INTO webhook_endpoints (account_id, endpoint_id, sealed, types, batch_size, description)
                VALUES (
                    \(account.rawValue), \(id.rawValue), \(sealed), \(types.rawValue), \(Int16(batchSize)),
                    \(description))
                """)
            let made = (try await read(account, id, key, on: connection), secret)
            try await onCommit?(connection, made)
            return made
        }
    }

    /// - Throws: ``WebhookError``
    package func update(_ account: AccountID, _ id: WebhookID, _ change: Change) async throws -> WebhookEndpoint {
        let url = try change.url.map { text throws(WebhookError) in
            try WebhookURL(text, allowsPrivate: allowsPrivate)
        }
        let key = try await vault.accountKeys(account).sealing
        return try await records.withTransaction { connection in
            let row = try await connection.query(
                """
                SELECT sealed, types, batch_size, description, disabled_reason FROM webhook_endpoints
                WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue) FOR NO KEY UPDATE
                """
            ).first
            guard let row else { throw WebhookError.notFound }
            let (sealed, types, batchSize, description, disabled) = try row.decode(
                [UInt8].self, Int64.self, Int16.self, String.self, String?.self)
            var settings = try WebhookSettings(sealed, key, account, id)
            if let url { settings.url = url.text }
            let newTypes = change.types ?? WebhookEventTypes(rawValue: types)
            let newSize = change.batchSize ?? Int(batchSize)
            let newText = change.description ?? description
            try Self.check(types: newTypes, batchSize: newSize, description: newText)
            let reason = change.isActive.map { $0 ? nil : disabled ?? "by its owner" } ?? disabled
            try await connection.query(
                """
                UPDATE webhook_endpoints
                SET sealed = \(settings.sealed(key, account, id)), types = \(newTypes.rawValue),
                    batch_size = \(Int16(newSize)), description = \(newText), disabled_reason = \(reason as String?),
                    rest_until = NULL, failures = 0,
                    failing_since = CASE WHEN \(reason == nil && disabled != nil) THEN NULL ELSE failing_since END
                WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue)
                """)
            if change.isActive == true || url != nil {
                // Whoever has mended it does not wait for the next try.
                try await connection.query(
                    """
                    UPDATE webhook_deliveries SET next_at = '-infinity'
                    WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue)
                        AND next_at > '-infinity'
                    """)
            }
            return try await read(account, id, key, on: connection)
        }
    }

    /// Makes a new secret; the one before signs beside it for a while.
    ///
    /// - Parameter overlap: seconds.
    package func rotate(
        _ account: AccountID, _ id: WebhookID, overlap: Int64 = WebhookLimits.overlapSeconds,
        onCommit: CommitHook<(WebhookEndpoint, WebhookSecret)>? = nil
    ) async throws -> (WebhookEndpoint, WebhookSecret) {
        guard (0...WebhookLimits.longestOverlapSeconds).contains(overlap) else {
            throw WebhookError(
                .invalidOverlap, "both secrets sign for at most \(WebhookLimits.longestOverlapSeconds) seconds")
        }
        let key = try await vault.accountKeys(account).sealing
        let secret = WebhookSecret()
        return try await records.withTransaction { connection in
            let row = try await connection.query(
                """
                SELECT sealed FROM webhook_endpoints
                WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue) FOR NO KEY UPDATE
                """
            ).first
            guard let row else { throw WebhookError.notFound }
            var settings = try WebhookSettings(row.decode([UInt8].self), key, account, id)
            settings.rotate(to: secret, at: SystemTime.microseconds() / 1_000_000, overlap: overlap)
            try await connection.query(
                """
                UPDATE webhook_endpoints SET sealed = \(settings.sealed(key, account, id))
                WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue)
                """)
            let rotated = (try await read(account, id, key, on: connection), secret)
            try await onCommit?(connection, rotated)
            return rotated
        }
    }

    /// - Returns: whether there was one.
    package func remove(_ account: AccountID, _ id: WebhookID) async throws -> Bool {
        try await records.withTransaction { connection in
            let removed = try await connection.query(
                """
                DELETE FROM webhook_endpoints WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue)
                """
            ).affected
            try await connection.query(
                """
                DELETE FROM webhook_attempts
                WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue)
                """)
            // Nobody else may wait for what is named in them.
            try await connection.query(
                """
                WITH gone AS (
                    DELETE FROM webhook_deliveries
                    WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue)
                    RETURNING event_no),
                locked AS (
                    SELECT event_no FROM webhook_events
                    WHERE account_id = \(account.rawValue) AND event_no IN (SELECT event_no FROM gone)
                    ORDER BY event_no FOR NO KEY UPDATE)
                UPDATE webhook_events e
                SET waiting = e.waiting - 1, private = CASE WHEN e.waiting > 1 THEN e.private END
                FROM locked l WHERE e.account_id = \(account.rawValue) AND e.event_no = l.event_no
                """)
            return removed == 1
        }
    }

    // MARK: Reading

    /// In the order of their creation; at most ``WebhookLimits/endpoints``.
    package func list(_ account: AccountID) async throws -> [WebhookEndpoint] {
        let key = try await vault.accountKeys(account).sealing
        return try await records.query(
            "\(unescaped: Self.columns) WHERE account_id = \(account.rawValue) ORDER BY endpoint_id"
        ).map { try Self.endpoint($0, account, key) }
    }

    /// - Throws: ``WebhookError`` `.notFound`
    package func get(_ account: AccountID, _ id: WebhookID) async throws -> WebhookEndpoint {
        let key = try await vault.accountKeys(account).sealing
        return try await records.withConnection { try await read(account, id, key, on: $0) }
    }

    /// The endpoint with its present secret: for whoever asks again for an answer that showed it.
    ///
    /// - Throws: ``WebhookError`` `.notFound`
    package func reveal(_ account: AccountID, _ id: WebhookID) async throws -> (WebhookEndpoint, WebhookSecret) {
        let key = try await vault.accountKeys(account).sealing
        return try await records.withConnection { connection in
            let row = try await connection.query(
                """
                SELECT sealed FROM webhook_endpoints
                WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue)
                """
            ).first
            guard let row else { throw WebhookError.notFound }
            let settings = try WebhookSettings(row.decode([UInt8].self), key, account, id)
            guard let secret = settings.secrets(at: .max).first else { throw WebhookError.malformed }
            return (try await read(account, id, key, on: connection), secret)
        }
    }

    /// The latest attempts, newest first.
    ///
    /// - Parameter before: the number of an attempt.
    /// - Throws: ``WebhookError`` `.notFound`
    package func attempts(
        _ account: AccountID, _ id: WebhookID, before: Int64? = nil, limit: Int
    ) async throws -> [WebhookAttempt] {
        let exists = try await records.query(
            "SELECT FROM webhook_endpoints WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue)")
        guard !exists.isEmpty else { throw WebhookError.notFound }
        return try await records.query(
            """
            SELECT attempt_no, message, events, attempt, status, milliseconds, error, attempted_at
            FROM webhook_attempts
            WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue)
                AND attempt_no < \(before ?? .max)
            ORDER BY attempt_no DESC LIMIT \(Int32(limit))
            """
        ).map { row in
            let (number, message, events, attempt, status, milliseconds, error, at) = try row.decode(
                Int64.self, String.self, Int16.self, Int16.self, Int16?.self, Int32.self, String?.self,
                PostgresTimestamp.self)
            return WebhookAttempt(
                number: number, message: message, events: Int(events), attempt: Int(attempt),
                status: status.map(Int.init), milliseconds: Int(milliseconds), error: error, attemptedAt: at)
        }
    }

    private static let columns = """
        SELECT endpoint_id, sealed, types, batch_size, description, disabled_reason, created_at, failing_since,
            delivered, failed, dropped FROM webhook_endpoints
        """

    private func read(
        _ account: AccountID, _ id: WebhookID, _ key: SealingKey, on connection: PostgresConnection
    ) async throws -> WebhookEndpoint {
        let row = try await connection.query(
            """
            \(unescaped: Self.columns) WHERE account_id = \(account.rawValue) AND endpoint_id = \(id.rawValue)
            """
        ).first
        guard let row else { throw WebhookError.notFound }
        return try Self.endpoint(row, account, key)
    }

    private static func endpoint(
        _ row: PostgresRow, _ account: AccountID, _ key: SealingKey
    ) throws -> WebhookEndpoint {
        let (number, sealed, types, size, description, reason, createdAt, failing, delivered, failed, dropped) =
            try row.decode(
                Int64.self, [UInt8].self, Int64.self, Int16.self, String.self, String?.self, PostgresTimestamp.self,
                PostgresTimestamp?.self, Int64.self, Int64.self, Int64.self)
        let id = WebhookID(rawValue: number)
        let settings = try WebhookSettings(sealed, key, account, id)
        let now = SystemTime.microseconds() / 1_000_000
        return WebhookEndpoint(
            id: id, url: settings.url, types: WebhookEventTypes(rawValue: types), batchSize: Int(size),
            description: description, disabledReason: reason, createdAt: createdAt, failingSince: failing,
            previousSecretUntil: settings.secrets.compactMap(\.until).first { $0 > now }, delivered: delivered,
            failed: failed, dropped: dropped)
    }

    private static func check(
        types: WebhookEventTypes, batchSize: Int, description: String
    ) throws(WebhookError) {
        guard types != [], WebhookEventTypes.all.isSuperset(of: types) else {
            throw WebhookError(.invalidEvents, "an endpoint wants at least one of the known events")
        }
        guard (1...WebhookLimits.batchSize).contains(batchSize) else {
            throw WebhookError(.invalidBatchSize, "a message has 1 to \(WebhookLimits.batchSize) events")
        }
        guard description.utf8.count <= WebhookLimits.descriptionOctets,
            description.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        else {
            throw WebhookError(
                .invalidDescription,
                "a description has at most \(WebhookLimits.descriptionOctets) bytes and no control characters")
        }
    }

    /// Far from the numbers that others lock.
    private static let lockSpace: Int64 = 0x5765_6200_0000_0000
}
