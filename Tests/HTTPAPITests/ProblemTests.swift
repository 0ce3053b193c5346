import Campaigns
import CreditLedger
import Feedback
import HTTPAPI
import HTTPTypes
import Identity
import Postgres
import SendingDomains
import Testing
import Vault

/// What the API says of errors that are hard to bring about from outside.
@Suite struct ProblemTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let error: any Error
        let status: Int
        let code: String
        var retryAfter: Int?
        var testDescription: String { "\(error)" }
    }

    static let cases = [
        Case(error: PostgresError(.commitUnknown, "lost"), status: 503, code: "commit_unknown", retryAfter: 2),
        Case(error: PostgresError(.connectionLost, "lost"), status: 503, code: "database_unavailable", retryAfter: 2),
        Case(error: PostgresError(.poolTimeout, "busy"), status: 503, code: "database_unavailable", retryAfter: 2),
        Case(
            error: PostgresError(.server, "deadlock", sqlState: .deadlockDetected), status: 503,
            code: "database_unavailable", retryAfter: 2),
        Case(
            error: PostgresError(.server, "full", sqlState: .diskFull), status: 503, code: "database_unavailable",
            retryAfter: 2),
        Case(
            error: PostgresError(.server, "stopping", sqlState: .adminShutdown), status: 503,
            code: "database_unavailable", retryAfter: 2),
        Case(
            error: PostgresError(.server, "locked", sqlState: .lockNotAvailable), status: 503, code: "busy",
            retryAfter: 2),
        Case(error: PostgresError(.server, "long", sqlState: .queryCanceled), status: 503, code: "busy", retryAfter: 2),
        Case(
            error: PostgresError(.shareExhausted, "greedy"), status: 429, code: "too_many_requests", retryAfter: 1),
        // Trying again would not help.
        Case(error: PostgresError(.server, "no", sqlState: .undefinedTable), status: 500, code: "internal_error"),
        Case(error: PostgresError(.server, "no", sqlState: .checkViolation), status: 500, code: "internal_error"),
        Case(error: PostgresError(.decoding, "no"), status: 500, code: "internal_error"),
        Case(error: CancellationError(), status: 503, code: "interrupted", retryAfter: 2),
        Case(error: CampaignError(.uploadInProgress, "wait"), status: 409, code: "upload_in_progress", retryAfter: 5),
        Case(error: CampaignError(.uploadLost, "again"), status: 503, code: "upload_lost", retryAfter: 5),
        Case(error: CampaignError(.tooManyDrafts, "enough"), status: 409, code: "too_many_drafts"),
        Case(error: CampaignError(.tooManyCampaigns, "enough"), status: 409, code: "too_many_campaigns"),
        Case(error: CampaignError(.malformedRecord, "bug"), status: 500, code: "internal_error"),
        Case(error: CampaignError(.settlementMismatch, "bug"), status: 500, code: "internal_error"),
        Case(error: CampaignError(.purged, "gone"), status: 410, code: "purged"),
        Case(error: IdempotencyError.alreadyAnswered, status: 409, code: "idempotency_in_flight", retryAfter: 1),
        Case(error: IdempotencyError.answerTooLarge, status: 500, code: "internal_error"),
        Case(
            error: LedgerError.insufficientCredits(missing: 3, available: 4), status: 402, code: "insufficient_credits"),
        Case(error: LedgerError.accountNotFound, status: 404, code: "not_found"),
        Case(error: LedgerError.overflow, status: 422, code: "amount_too_large"),
        Case(error: LedgerError.inconsistent, status: 500, code: "internal_error"),
        Case(error: IdentityError.invalidName, status: 422, code: "invalid_key_name"),
        Case(error: IdempotencyError.tooManyAnswers, status: 429, code: "too_many_idempotency_keys", retryAfter: 60),
        Case(error: IdentityError.tooManyKeys, status: 409, code: "too_many_api_keys"),
        Case(error: SuppressionError.tooMany, status: 409, code: "too_many_suppressions"),
        Case(error: SendingDomainError(.tooManyDomains, "enough"), status: 409, code: "too_many_domains"),
        Case(error: SuppressionError.accountNotFound, status: 404, code: "not_found"),
        Case(error: VaultError(.destroyed, "gone"), status: 410, code: "purged"),
        Case(error: VaultError(.accountKeyMissing, "gone"), status: 503, code: "account_key_lost"),
        Case(error: VaultError(.accountKeyWrong, "other"), status: 503, code: "account_key_lost"),
        Case(error: VaultError(.notAuthentic, "bug"), status: 500, code: "internal_error"),
    ]

    @Test(arguments: cases) func `an error is told`(_ test: Case) {
        let problem = Problem(describing: test.error)
        #expect(problem.status.code == test.status)
        #expect(problem.code == test.code)
        #expect(problem.retryAfter == test.retryAfter)
        #expect(problem.detail.first?.isLowercase == false)
        #expect(problem.detail.hasSuffix("."))
    }

    /// A stranger for whom there is no place to sign in has cost nothing yet, and would ask again at once.
    @Test(arguments: [
        (SignInError.busy as any Error, true), (SignInError.tooMany(seconds: 9), true), (SignInError.refused, false),
        (PostgresError(.shareExhausted, "greedy"), true), (PostgresError(.poolTimeout, "busy"), false),
        (IdentityError.invalidName, false),
    ]) func `who asks too much is told so after a pause, and nobody else`(_ error: any Error, _ isPaused: Bool) {
        #expect(Problem(describing: error).comesAfterAPause == isPaused)
    }

    @Test func `an unknown commit tells what to do`() {
        #expect(
            Problem(describing: PostgresError(.commitUnknown, "lost")).detail
                == "The database's answer to the commit was lost; send the request again with the same Idempotency-Key."
        )
    }

    @Test(arguments: [
        ("no dot", "No dot."), ("A dot.", "A dot."), ("is a quote not closed?", "Is a quote not closed?"), ("x!", "X!"),
    ])
    func `details are sentences`(_ detail: String, _ sentence: String) {
        #expect(Problem(describing: CampaignError(.noRecipients, detail)).detail == sentence)
    }
}
