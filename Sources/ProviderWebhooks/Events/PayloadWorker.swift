package import Feedback
package import Logging
import MailTypes
package import Postgres
package import Vault

/// Works off what providers have sent: finds whose mail each event is about by its token, and hands the facts to
/// ``FeedbackIntake`` in the transaction that does away with the body. So what is reported twice, in another order or at once
/// on several nodes has its effects once.
package struct PayloadWorker: Sendable {
    private let records: PostgresPool
    private let vault: Vault
    private let intake: FeedbackIntake
    private let store: PayloadStore
    /// Only read from; nothing is verified here.
    private let certificates = SigningCertificates()
    private let logger: Logger

    package init(records: PostgresPool, vault: Vault, intake: FeedbackIntake, logger: Logger) {
        self.records = records
        self.vault = vault
        self.intake = intake
        store = PayloadStore(records: records, vault: vault)
        self.logger = logger
    }

    /// Works off some of what waits, each body in a transaction of its own: rows of many accounts are locked in the
    /// order of one body's facts, and not in that of several after each other.
    ///
    /// - Returns: how many bodies; 0 where nothing waits, or another node is at work
    package func round() async throws -> Int {
        var done = 0
        while done < ProviderLimits.payloadsPerRound, try await next() { done += 1 }
        return done
    }

    /// Does away with old receipts. Any node may do it.
    package func sweep() async throws -> Int { try await store.sweep() }

    /// The body that has waited longest.
    ///
    /// - Returns: false where nothing waits, or another node is at work
    private func next() async throws -> Bool {
        do {
            return try await withPayload { payload, connection in
                do {
                    try await workOff(payload, on: connection)
                } catch let error as PostgresError where error.isOfStatement {
                    throw NotNoted(key: payload.key, cause: error)
                }
            }
        } catch let failure as NotNoted {
            logger.warning("report of a provider not written down", metadata: ["error": "\(failure.cause)"])
            // By now another body may have waited longest.
            return try await withPayload(failure.key) { payload, connection in
                try await giveUp(payload, on: connection)
            }
        }
    }

    /// A body whose facts the database does not take; its transaction is undone.
    private struct NotNoted: Error {
        let key: StoredPayload.Key
        let cause: PostgresError
    }

    /// - Parameter key: of one body; nil for the one that has waited longest.
    private func withPayload(
        _ key: StoredPayload.Key? = nil,
        _ body: @Sendable (StoredPayload, PostgresConnection) async throws -> Void
    ) async throws -> Bool {
        try await records.withTransaction { connection in
            guard try await store.isAlone(on: connection) else { return false }
            guard let payload = try await store.next(key, on: connection) else { return false }
            try await body(payload, connection)
            return true
        }
    }

    /// What cannot be written down comes again later, as long as its receipt is kept.
    private func giveUp(_ payload: StoredPayload, on connection: PostgresConnection) async throws {
        guard payload.isOld else { return try await store.putOff([payload], on: connection) }
        try await store.finish([(payload, PayloadCount(problem: "not stored"))], on: connection)
    }

    // MARK: One transaction

    private func workOff(_ payload: StoredPayload, on connection: PostgresConnection) async throws {
        var reader = TokenReader(vault: vault, connection: connection)
        var found = try await read(payload, &reader)
        found.count.noted = try await note(found, on: connection)
        if found.isStopped && !payload.isOld {
            try await store.putOff([payload], on: connection)
        } else {
            try await store.finish([(payload, found.count)], on: connection)
        }
        tell(found)
    }

    /// A body with what was found in it.
    private struct Found {
        let payload: StoredPayload
        var count = PayloadCount()
        var events: [FeedbackEvent] = []
        /// An account is stopped, and cannot be told from no account.
        var isStopped = false
    }

    private func read(_ payload: StoredPayload, _ reader: inout TokenReader) async throws -> Found {
        var found = Found(payload: payload)
        guard let kind = payload.kind, let body = payload.body else {
            found.count.problem = payload.body == nil ? "does not open" : "unknown provider"
            return found
        }
        guard let events = try? kind.provider(certificates).events(body) else {
            found.count.problem = "unreadable"
            return found
        }
        found.count.events = events.count
        for event in events {
            guard let token = try await reader.token(in: event.evidence, isStopped: &found.isStopped) else { continue }
            found.count.recognised += 1
            guard let fact = event.fact else { continue }
            found.events.append(
                FeedbackEvent(
                    token, fact, by: .provider(kind.rawValue), reason: String(event.reason.prefix(40)),
                    enhanced: event.enhanced, smtpCode: event.smtpCode, occurredAt: event.occurredAt))
        }
        return found
    }

    /// All facts of a body at once. What a test reports goes all the way, and is undone.
    ///
    /// - Returns: how many were new
    private func note(_ found: Found, on connection: PostgresConnection) async throws -> Int {
        guard found.payload.isTest else { return try await intake.take(found.events, on: connection) }
        try await connection.query("SAVEPOINT provider_test")
        let noted = try await intake.take(found.events, on: connection)
        try await connection.query("ROLLBACK TO SAVEPOINT provider_test")
        return noted
    }

    private func tell(_ found: Found) {
        let unrecognised = found.count.events - found.count.recognised
        if unrecognised > 0 {
            logger.info("reports of providers about mails of others", metadata: ["events": "\(unrecognised)"])
        }
        guard let problem = found.count.problem else { return }
        logger.warning(
            "report of a provider not understood",
            metadata: ["source": "\(found.payload.source)", "problem": "\(problem)"])
    }
}

/// Finds and proves tokens; each account's keys are asked for once in a transaction.
struct TokenReader {
    private let vault: Vault
    private let connection: PostgresConnection
    private var keys: [AccountID: AccountKeys?] = [:]
    private var stopped: Set<AccountID> = []

    init(vault: Vault, connection: PostgresConnection) {
        self.vault = vault
        self.connection = connection
    }

    /// The first token that is ours.
    ///
    /// - Parameter isStopped: set where an account's key is lost, so that its token cannot be told from others'
    mutating func token(in evidence: JSONValue, isStopped: inout Bool) async throws -> RecipientToken? {
        for candidate in TokenFinder.candidates(in: evidence) {
            if let keys = try await keys(of: candidate.account), let token = candidate.verified(with: keys) {
                return token
            }
            if stopped.contains(candidate.account) { isStopped = true }
        }
        return nil
    }

    private mutating func keys(of account: AccountID) async throws -> AccountKeys? {
        if let known = keys[account] { return known }
        var found: AccountKeys?
        do {
            found = try await vault.accountKeys(account, on: connection)
        } catch let error as VaultError where error.code == .noKey {
            // No such account: somebody's letters that look like a token.
        } catch let error as VaultError where error.stopsAccount {
            stopped.insert(account)
        }
        keys[account] = .some(found)
        return found
    }
}
