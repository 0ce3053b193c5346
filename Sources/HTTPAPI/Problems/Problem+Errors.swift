import Campaigns
import CreditLedger
import Feedback
import HTTPTypes
import Hummingbird
import Identity
import MailMessage
import MailTypes
import Passwords
import Postgres
import SendingDomains
import Vault
import Webhooks

extension Problem {
    /// What the API says of an error from below. HTTP statuses live here and nowhere deeper.
    package init(describing error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as CampaignError: self = Problem(error)
        case let error as SendingDomainError: self = Problem(error)
        case let error as ImportError: self = Problem(error)
        case let error as InvalidLinesError: self = Problem(error)
        case let error as MessageError: self = Problem(error, field: nil)
        case let error as AddressError: self = Problem(error, field: nil)
        case let error as IdempotencyError: self = Problem(error)
        case let error as SuppressionError: self = Problem(error)
        case let error as WebhookError: self = Problem(error)
        case let error as LedgerError: self = Problem(error)
        case let error as IdentityError: self = Problem(error)
        case let error as SignInError: self = Problem(error)
        case let error as SecondFactorError: self = Problem(error)
        case let error as UserError: self = Problem(error)
        case let error as InvitationError: self = Problem(error)
        case let error as PasswordError: self = Problem(error)
        case let error as SignUpError: self = Problem(error)
        case let error as MailCodeError:
            self = Problem(error == .over ? .gone : .forbidden, error.code, error.description.asSentence)
        case SessionError.isOver: self = .unauthorized
        case SessionError.notFound:
            self = Problem(.notFound, "session_not_found", "There is no such session that goes on.")
        case let error as PostgresError: self = Problem(error)
        case let error as VaultError where error.code == .destroyed: self = .purged
        case let error as VaultError where error.stopsAccount: self = .accountStopped
        case let error as HTTPError: self = Problem(error)
        case is CancellationError:
            self = Problem(
                .serviceUnavailable, "interrupted",
                "The server stopped working on the request; send it again with the same Idempotency-Key.")
            retryAfter = 2
        default: self = .internalError
        }
    }

    static let internalError = Problem(
        .internalServerError, "internal_error", "Something went wrong here; the log knows the reference.")
    static let tooManyUploads = {
        var problem = Problem(
            .tooManyRequests, "too_many_uploads",
            "As many uploads run as may at a time, of the account or of all.")
        problem.retryAfter = 5
        return problem
    }()
    private static let accountStopped = Problem(
        .serviceUnavailable, "account_key_lost",
        "The server has lost the key that this account's data is sealed with. Nothing was changed, and nothing of the account is sent until its operator has restored the key."
    )
    private static let purged = Problem(.gone, "purged", "The campaign's data has been destroyed.")

    /// - Parameter field: where in the request the content stood, if that is known.
    init(_ error: MessageError, field: String?) {
        self = .invalid(error.code.rawValue, error.detail.asSentence, fields: (field ?? error.field).map { [$0] } ?? [])
    }

    /// - Parameter field: where in the request the address stood. The address itself is never repeated.
    init(_ error: AddressError, field: String?) {
        self = .invalid(error.code, error.description.asSentence, fields: field.map { [$0] } ?? [])
    }

    private init(_ error: CampaignError) {
        let status: HTTPResponse.Status
        switch error.code {
        case .notFound: status = .notFound
        case .illegalTransition, .noRecipients, .domainNotProven, .uploadInProgress, .tooManyDrafts, .tooManyCampaigns:
            status = .conflict
        case .uploadLost: status = .serviceUnavailable
        case .insufficientCredits(let missing, let available):
            self = Problem(missing: missing, available: available)
            return
        case .missingVariables(let lacking):
            self = Problem(.conflict, error.code.name, error.detail.asSentence, fields: ["missing_variables"])
            self.lacking = lacking
            return
        case .domainNotRegistered, .sourcePoolUnknown, .invalidSetting: status = .unprocessableContent
        case .purged: status = .gone
        case .malformedRecord, .settlementMismatch:
            self = .internalError
            return
        }
        self = Problem(status, error.code.name, error.detail.asSentence)
        if error.code == .domainNotRegistered || error.code == .domainNotProven { fields = ["from"] }
        if error.code == .sourcePoolUnknown { fields = ["source_pool"] }
        if [.uploadInProgress, .uploadLost].contains(error.code) { retryAfter = 5 }
    }

    private init(_ error: SendingDomainError) {
        let status: HTTPResponse.Status
        switch error.code {
        case .notFound, .domainNotFound, .keyNotFound: status = .notFound
        case .domainExists, .domainInUse, .domainTaken, .tooManyDomains: status = .conflict
        case .publicSuffix, .invalidKey, .invalidSetting: status = .unprocessableContent
        case .suffixesUnknown: status = .serviceUnavailable
        case .malformedRecord:
            self = .internalError
            return
        }
        self = Problem(status, error.code.rawValue, error.detail.asSentence)
        if error.code == .publicSuffix { fields = ["domain"] }
        if error.code == .invalidKey { fields = ["private_key"] }
    }

    private init(_ error: WebhookError) {
        let status: HTTPResponse.Status
        switch error.code {
        case .notFound, .eventNotFound: status = .notFound
        case .tooManyWebhooks, .webhookDisabled: status = .conflict
        case .invalidURL, .privateDestination, .invalidEvents, .invalidDescription, .invalidBatchSize, .invalidOverlap:
            status = .unprocessableContent
        case .malformedRecord:
            self = .internalError
            return
        }
        self = Problem(status, error.code.rawValue, error.detail.asSentence)
        switch error.code {
        case .invalidURL, .privateDestination: fields = ["url"]
        case .invalidEvents: fields = ["events"]
        case .invalidDescription: fields = ["description"]
        case .invalidBatchSize: fields = ["batch_size"]
        case .invalidOverlap: fields = ["overlap_seconds"]
        default: break
        }
    }

    private init(_ error: ImportError) {
        self = .invalid(error.code.rawValue, "\(error)".asSentence)
        if error.code == .lineTooLong { status = .contentTooLarge }
        numbers["line"] = Int64(error.line)
        if let column = error.column { numbers["column"] = Int64(column) }
    }

    private init(_ error: InvalidLinesError) {
        let report = error.report
        let count = report.invalid == 1 ? "1 line" : "\(report.invalid) lines"
        self = .invalid(
            "invalid_lines",
            "\(count) of the list cannot be taken, so nothing of it was kept. Mend them, or take the others with ?on_invalid=skip."
        )
        numbers = ["invalid": Int64(report.invalid), "valid": Int64(report.accepted + report.duplicates)]
        lines = report.errors
    }

    private init(_ error: IdempotencyError) {
        switch error {
        case .invalidKey:
            self = Problem(
                .badRequest, error.code,
                "Idempotency-Key takes 1 to \(IdentityLimits.idempotencyKeyOctets) visible ASCII characters.")
        case .differentRequest:
            self = .invalid("idempotency_conflict", "This Idempotency-Key was used before with another request.")
        case .alreadyAnswered:
            self = Problem(
                .conflict, "idempotency_in_flight",
                "A request under this Idempotency-Key was answered at this moment; send it again for its answer.")
            retryAfter = 1
        case .answerTooLarge: self = .internalError
        case .tooManyAnswers:
            self = Problem(
                .tooManyRequests, error.code,
                "As many answers are kept for the account as may be, each for \(IdentityLimits.idempotencyHours) hours."
            )
            retryAfter = 60
        }
    }

    private init(_ error: SuppressionError) {
        switch error {
        case .invalidNote:
            self = .invalid(
                error.code,
                "A note has at most \(SuppressionLimits.noteOctets) bytes and no control characters.",
                fields: ["note"])
        case .accountNotFound: self = .notFound
        case .tooMany:
            self = Problem(
                .conflict, error.code,
                "The account lists as many addresses as it may; remove some of them.")
        case .protected:
            self = Problem(
                .conflict, error.code,
                "The recipient has unsubscribed or complained; only the operator takes that off the list.")
        }
    }

    private init(_ error: LedgerError) {
        switch error {
        case .insufficientCredits(let missing, let available): self = Problem(missing: missing, available: available)
        case .accountNotFound: self = .notFound
        case .overflow: self = .invalid(error.code, "The credits would grow beyond what an account can have.")
        case .invalidName, .accountNameTaken, .invalidAmount, .invalidKey, .memoTooLong, .invalidDigest, .invalidAnchor,
            .idempotencyConflict, .holdExists, .holdNotFound, .holdAlreadyResolved, .inconsistent:
            // The API gives the ledger no names, amounts, keys or holds of the client's: such a refusal is our bug.
            self = .internalError
        }
    }

    private init(_ error: IdentityError) {
        let (status, fields): (HTTPResponse.Status, [String]) =
            switch error {
            case .accountNotFound, .keyNotFound: (.notFound, [])
            case .invalidRequestLimit: (.unprocessableContent, [])
            case .tooManyKeys: (.conflict, [])
            case .exceedsOwnTerms: (.forbidden, [])
            case .invalidName: (.unprocessableContent, ["name"])
            case .invalidScopes: (.unprocessableContent, ["scopes"])
            case .invalidNetworks: (.unprocessableContent, ["networks"])
            case .invalidExpiry: (.unprocessableContent, ["expires_at"])
            }
        self = error == .accountNotFound ? .notFound : Problem(status, error.code, error.description.asSentence)
        self.fields = fields
    }

    private init(_ error: SignInError) {
        switch error {
        case .refused:
            self = Problem(.unauthorized, "sign_in_refused", "There is no user with this address and this password.")
        case .tooMany(let seconds):
            self = Problem(
                .tooManyRequests, "too_many_sign_ins",
                "Too many attempts to sign in have failed; wait before the next one.")
            retryAfter = seconds
        case .stepOver:
            self = Problem(
                .unauthorized, "sign_in_step_over", "The password was shown too long ago, or not here; sign in again.")
        case .codeRefused:
            self = Problem(
                .unauthorized, "second_factor_refused", "This is no code of the second factor that can still be used.")
        case .tooManyCodes(let seconds):
            self = Problem(
                .tooManyRequests, "too_many_codes",
                "Too many codes of the second factor were wrong; use a recovery code, or wait before the next one.")
            retryAfter = seconds
        case .busy: self = .signInBusy
        }
    }

    private init(_ error: UserError) {
        let (status, fields): (HTTPResponse.Status, [String]) =
            switch error {
            case .accountNotFound, .userNotFound: (.notFound, [])
            case .invalidAddress: (.unprocessableContent, ["email"])
            case .invalidName: (.unprocessableContent, ["name"])
            case .invalidReason: (.unprocessableContent, ["reason"])
            case .addressTaken, .tooManyUsers, .lastOwner, .firstIsOwner: (.conflict, [])
            case .aboveOwnRole: (.forbidden, ["role"])
            }
        self = error == .accountNotFound ? .notFound : Problem(status, error.code, error.description.asSentence)
        self.fields = fields
    }

    private init(_ error: InvitationError) {
        let status: HTTPResponse.Status =
            switch error {
            case .notFound: .notFound
            case .over: .gone
            case .alreadyMember, .alreadyInvited, .tooManyOpen, .noMail: .conflict
            case .tooManyToday: .tooManyRequests
            }
        self = Problem(status, error.code, error.description.asSentence)
        if error == .tooManyToday { retryAfter = 3_600 }
    }

    private init(_ error: PasswordError) {
        switch error {
        case .tooShort, .tooLong, .unreadable, .tooCommon:
            self = .invalid(error.code, error.description.asSentence, fields: ["password"])
        case .busy: self = Problem(SignInError.busy)
        case .failed: self = .internalError
        }
    }

    private init(_ error: SignUpError) {
        switch error {
        case .closed:
            self = Problem(
                .conflict, "sign_up_closed", "Nobody signs up here by themselves: the operator makes the accounts.")
        case .invalidAccountName:
            self = .invalid(
                "invalid_account_name",
                "An account's name has 1 to \(PeopleLimits.accountNameCharacters) characters, fewer than 7 digits, "
                    + "nothing that could become a link and nothing that cannot be seen.",
                fields: ["account"])
        case .tooMany(let seconds):
            self = Problem(
                .tooManyRequests, "too_many_sign_ups",
                "As many people have asked for an account as may within a day; wait before the next time.")
            retryAfter = seconds
        }
    }

    private init(_ error: SecondFactorError) {
        let status: HTTPResponse.Status =
            switch error {
            case .exists, .missing, .demanded: .conflict
            case .proofRefused: .forbidden
            }
        self = Problem(status, error.code, error.description.asSentence)
    }

    private init(missing: Int64, available: Int64) {
        self = Problem(
            .init(code: 402, reasonPhrase: "Payment Required"), "insufficient_credits",
            "\(missing) more credits are needed; \(available) are available.")
        numbers = ["missing": missing, "available": available]
    }

    /// The database's state is not the client's fault, and mostly passes.
    private init(_ error: PostgresError) {
        switch error.kind {
        case .commitUnknown:
            self = Problem(
                .serviceUnavailable, "commit_unknown",
                "The database's answer to the commit was lost; send the request again with the same Idempotency-Key.")
        case .shareExhausted:
            self = .tooManyRequests
            return
        case .server where error.isTimeout: self = .busy
        case .connectionLost, .connectionFailed, .poolTimeout, .closed, .cancelled: self = .databaseUnavailable
        case .server where error.isPassing: self = .databaseUnavailable
        case .server, .transactionAborted, .decoding, .configuration, .migration:
            self = .internalError
            return
        }
        retryAfter = 2
    }

    static let databaseUnavailable = Problem(
        .serviceUnavailable, "database_unavailable", "The database did not carry the request out; try again.")

    /// Somebody else is at work on the same rows, or the server has too much to do.
    static let busy = Problem(
        .serviceUnavailable, "busy",
        "Another request is at work on the same data, or the database is busy; nothing was changed. Try again.")

    static let tooManyRequests = {
        var problem = Problem(
            .tooManyRequests, "too_many_requests",
            "The account has too many requests under way, or changes its campaigns too fast; nothing was changed.")
        problem.retryAfter = 1
        return problem
    }()

    private init(_ error: HTTPError) {
        switch error.status {
        case .notFound: self = .notFound
        case .contentTooLarge: self = .tooLarge(limit: APILimits.bodyBytes)
        default:
            self = Problem(
                error.status, error.status == .badRequest ? "bad_request" : "http_\(error.status.code)",
                error.status.reasonPhrase.asSentence)
        }
    }
}

extension String {
    /// With a capital, and a full stop where it ends without a mark of its own. A first word that is a name, such as
    /// `news.example.org` or `scheduled_at`, stays as it is.
    var asSentence: String {
        guard let first, let last else { return self }
        let isWord = prefix { $0 != " " }.reversed().drop { ",:;.?!…".contains($0) }.allSatisfy {
            $0.isLetter || $0 == "'"
        }
        return (isWord ? first.uppercased() : String(first)) + dropFirst() + (".?!…".contains(last) ? "" : ".")
    }
}
