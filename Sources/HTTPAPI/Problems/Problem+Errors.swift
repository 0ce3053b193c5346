import Campaigns
import CreditLedger
import Feedback
import HTTPTypes
import Hummingbird
import Identity
import MailMessage
import MailTypes
import Postgres
import Vault

extension Problem {
    /// What the API says of an error from below. HTTP statuses live here and nowhere deeper.
    init(describing error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as CampaignError: self = Problem(error)
        case let error as ImportError: self = Problem(error)
        case let error as MessageError: self = .invalid(error.code.rawValue, error.detail)
        case let error as AddressError: self = .invalid(error.code, "\(error).")
        case let error as IdempotencyError: self = Problem(error)
        case let error as SuppressionError: self = .invalid(error.code, "The suppression list refused the request.")
        case let error as PostgresError: self = Problem(error)
        case let error as VaultError where error.code == .destroyed:
            self = Problem(.gone, "purged", "The campaign's data has been destroyed.")
        case let error as HTTPError: self = Problem(error)
        default:
            self = Problem(
                .internalServerError, "internal_error", "Something went wrong here; the log knows the reference.")
        }
    }

    private init(_ error: CampaignError) {
        let status: HTTPResponse.Status =
            switch error.code {
            case .notFound, .domainNotFound: .notFound
            case .illegalTransition, .noRecipients, .domainExists, .domainInUse: .conflict
            case .insufficientCredits: .init(code: 402, reasonPhrase: "Payment Required")
            case .domainNotRegistered, .invalidSetting: .unprocessableContent
            case .purged: .gone
            case .uploadInterrupted: .badRequest
            case .malformedRecord, .settlementMismatch: .internalServerError
            }
        self = Problem(status, error.code.name, error.detail.asSentence)
        if case .insufficientCredits(let missing, let available) = error.code {
            numbers = ["missing": missing, "available": available]
        }
    }

    private init(_ error: ImportError) {
        self = .invalid(error.code.rawValue, "\(error)".asSentence)
        if error.code == .lineTooLong { status = .contentTooLarge }
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
        case .answerTooLarge:
            self = Problem(.internalServerError, "internal_error", "The answer is too large to be kept.")
        }
    }

    /// The database's state is not the client's fault, and mostly passes.
    private init(_ error: PostgresError) {
        self = Problem(
            .serviceUnavailable, "database_unavailable", "The database did not carry the request out; try again.")
        retryAfter = 2
    }

    private init(_ error: HTTPError) {
        switch error.status {
        case .notFound: self = .notFound
        case .contentTooLarge: self = .tooLarge(limit: APILimits.bodyBytes)
        default:
            self = Problem(
                error.status, error.status == .badRequest ? "bad_request" : "http_\(error.status.code)",
                error.status.reasonPhrase + ".")
        }
    }
}

extension String {
    /// With a capital and a full stop.
    var asSentence: String {
        guard let first else { return self }
        return first.uppercased() + dropFirst() + (hasSuffix(".") ? "" : ".")
    }
}
