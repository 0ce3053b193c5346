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

    /// Works off some of what waits.
    ///
    /// - Returns: how many bodies; 0 where nothing waits, or another node is at work
    package func round() async throws -> Int {
        do {
            return try await round(of: ProviderLimits.payloadsPerRound)
        } catch let error as PostgresError where error.isOfStatement {
            // One of them cannot be written down: each is tried alone, and that one comes again later.
            logger.warning("reports of providers tried one by one", metadata: ["error": "\(error)"])
            return try await oneByOne()
        }
    }

    /// Does away with old receipts. Any node may do it.
    package func sweep() async throws -> Int { try await store.sweep() }

    private func round(of limit: Int) async throws -> Int {
        try await records.withTransaction { connection in
            guard try await store.isAlone(on: connection) else { return 0 }
            let payloads = try await store.next(limit, on: connection)
            guard !payloads.isEmpty else { return 0 }
            try await workOff(payloads, on: connection)
            return payloads.count
        }
    }

    private func oneByOne() async throws -> Int {
        var done = 0
        for _ in 0..<ProviderLimits.payloadsPerRound {
            do {
                guard try await round(of: 1) > 0 else { break }
            } catch let error as PostgresError where error.isOfStatement {
                try await records.withTransaction { connection in
                    guard try await store.isAlone(on: connection) else { return }
                    try await store.putOff(try await store.next(1, on: connection), on: connection)
                }
            }
            done += 1
        }
        return done
    }

    // MARK: One transaction

    private func workOff(_ payloads: [StoredPayload], on connection: PostgresConnection) async throws {
        var reader = TokenReader(vault: vault, connection: connection)
        var found: [Found] = []
        for payload in payloads { found.append(try await read(payload, &reader)) }
        try await note(&found, where: { !$0.payload.isTest }, on: connection)
        try await tryOut(&found, on: connection)
        let putOff = found.filter { $0.isStopped && !$0.payload.isOld }
        try await store.putOff(putOff.map(\.payload), on: connection)
        let finished = found.filter { !$0.isStopped || $0.payload.isOld }
        if !finished.isEmpty { try await store.finish(finished.map { ($0.payload, $0.count) }, on: connection) }
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

    /// In portions.
    private func note(
        _ found: inout [Found], where isWanted: (Found) -> Bool, on connection: PostgresConnection
    ) async throws {
        for index in found.indices where isWanted(found[index]) {
            let events = found[index].events
            for start in stride(from: 0, to: events.count, by: ProviderLimits.factsPerStatement) {
                let portion = events[start..<min(start + ProviderLimits.factsPerStatement, events.count)]
                found[index].count.noted += try await intake.take(Array(portion), on: connection)
            }
        }
    }

    /// What a test reports goes all the way, and is undone.
    private func tryOut(_ found: inout [Found], on connection: PostgresConnection) async throws {
        guard found.contains(where: { $0.payload.isTest }) else { return }
        try await connection.query("SAVEPOINT provider_test")
        try await note(&found, where: { $0.payload.isTest }, on: connection)
        try await connection.query("ROLLBACK TO SAVEPOINT provider_test")
    }

    private func tell(_ found: [Found]) {
        let unrecognised = found.reduce(0) { $0 + $1.count.events - $1.count.recognised }
        if unrecognised > 0 {
            logger.info("reports of providers about mails of others", metadata: ["events": "\(unrecognised)"])
        }
        for body in found {
            guard let problem = body.count.problem else { continue }
            logger.warning(
                "report of a provider not understood",
                metadata: ["source": "\(body.payload.source)", "problem": "\(problem)"])
        }
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
