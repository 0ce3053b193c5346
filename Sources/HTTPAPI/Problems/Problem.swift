package import Campaigns
package import HTTPTypes
import Hummingbird
import Identity
import NIOCore

/// An error as the API tells it: `application/problem+json` (RFC 9457) with a stable `code` for programs, a sentence for
/// people, and a reference that the log repeats.
package struct Problem: Error, Sendable {
    package var status: HTTPResponse.Status
    /// snake_case, never changed once published.
    package var code: String
    /// What is wrong and what to do; no personal data.
    package var detail: String
    /// Which fields are at fault, by their path in the request.
    package var fields: [String] = []
    /// Further members, such as the credits that are missing.
    package var numbers: [String: Int64] = [:]
    /// What is wrong line by line, where a list was refused.
    package var lines: [ImportReport.Line] = []
    /// The variables that recipients lack, where that is the fault.
    package var lacking: LackingVariables?
    /// Seconds after which trying again makes sense.
    package var retryAfter: Int?
    /// The value of `Allow`, for 405.
    package var allow: String?
    /// What of a key would be needed (RFC 6750 §3.1), for 403.
    package var scope: String?

    package init(_ status: HTTPResponse.Status, _ code: String, _ detail: String, fields: [String] = []) {
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = fields
    }

    /// Whether who asks too much is told so only after ``APILimits/refusalPause``. Strangers who find no place to sign in are
    /// among them: at once, they would ask again and again.
    package var comesAfterAPause: Bool { status == .tooManyRequests || code == Self.signInBusy.code }

    func response(reference: String) -> Response {
        var json = JSONText()
        json.beginObject()
        json.member("type", "about:blank")
        json.member("title", status.reasonPhrase)
        json.member("status", Int64(status.code))
        json.member("code", code)
        json.member("detail", detail)
        if !fields.isEmpty { json.member("fields", fields) }
        for (name, value) in numbers.sorted(by: { $0.key < $1.key }) { json.member(name, value) }
        if !lines.isEmpty { json.member("errors", lines) }
        if let lacking {
            json.member("recipients", Int64(lacking.recipients))
            json.member("missing_variables", lacking)
        }
        json.member("reference", reference)
        json.endObject()
        var headers: HTTPFields = [.contentType: "application/problem+json"]
        if let retryAfter { headers[.retryAfter] = String(retryAfter) }
        if let allow { headers[.allow] = allow }
        if status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        if let scope { headers[.wwwAuthenticate] = #"Bearer error="insufficient_scope", scope="\#(scope)""# }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: json.text)))
    }
}

extension Problem {
    static let notFound = Problem(.notFound, "not_found", "There is nothing at this address for this account.")
    static let unauthorized = Problem(
        .unauthorized, "unauthorized", "Send a valid API key as `Authorization: Bearer sl_live_…`, or sign in.")
    static func scopeMissing(_ scope: Scope) -> Problem {
        var problem = Problem(
            .forbidden, "scope_missing", "The key is not for this: it needs the scope \(scope.rawValue).")
        problem.scope = scope.rawValue
        return problem
    }
    static func roleMissing(_ role: Role) -> Problem {
        Problem(.forbidden, "role_missing", "This is for users of an account with the role \(role.rawValue) or above.")
    }
    static let sessionRequired = Problem(
        .forbidden, "session_required", "A key stands for no person: sign in with POST /v1/session.")
    static let secondFactorRequired = Problem(
        .forbidden, "second_factor_required",
        "A second factor is demanded of each user here: add one with POST /v1/me/second-factor.")
    static let originRefused = Problem(
        .forbidden, "origin_refused",
        "The request does not come from a page of this server, or does not say so in `Origin`.")
    static let csrfTokenMissing = Problem(
        .forbidden, "csrf_token_missing", "Send the `csrf_token` of GET /v1/session as `X-CSRF-Token`.")
    static func rateLimited(_ grant: RequestGrant) -> Problem {
        var problem = Problem(
            .tooManyRequests, "rate_limited",
            "The key has had its \(grant.limit) requests of this minute; nothing was changed.")
        problem.retryAfter = grant.secondsLeft
        return problem
    }
    static let signInBusy = {
        var problem = Problem(
            .serviceUnavailable, "sign_in_busy", "Too many people are signing in at this moment; try again.")
        problem.retryAfter = 5
        return problem
    }()
    static func userRateLimited(_ grant: RequestGrant) -> Problem {
        var problem = Problem(
            .tooManyRequests, "user_rate_limited",
            "You have had your \(grant.limit) requests of this minute; nothing was changed.")
        problem.retryAfter = grant.secondsLeft
        return problem
    }
    static let networkNotAllowed = Problem(
        .forbidden, "network_not_allowed", "The key is not for requests from this address.")
    static let httpsRequired = Problem(
        .forbidden, "https_required",
        "Plain HTTP is not answered here. A key that was sent this way may have been read: revoke it.")
    static func invalid(_ code: String, _ detail: String, fields: [String] = []) -> Problem {
        Problem(.unprocessableContent, code, detail, fields: fields)
    }
    static func tooLarge(limit: Int) -> Problem {
        Problem(.contentTooLarge, "body_too_large", "The body is larger than \(limit) bytes.")
    }
    static func methodNotAllowed(_ allowed: Set<HTTPRequest.Method>) -> Problem {
        var problem = Problem(.methodNotAllowed, "method_not_allowed", "This address does not take the method.")
        problem.allow = allowed.map(\.rawValue).sorted().joined(separator: ", ")
        return problem
    }
    static let tooManyBodyBytes = {
        var problem = Problem(
            .tooManyRequests, "too_many_body_bytes",
            "As many bytes of request bodies are open for the account as may be at a time.")
        problem.retryAfter = 5
        return problem
    }()
    static let bodiesFull = {
        var problem = Problem(
            .serviceUnavailable, "bodies_full",
            "At most \(APILimits.openBodyBytes) bytes of request bodies of all accounts are taken at a time.")
        problem.retryAfter = 5
        return problem
    }()
    static func bodyTooSlow(bytesPerSecond: Int) -> Problem {
        Problem(
            .requestTimeout, "body_too_slow",
            "The body came at less than \(bytesPerSecond) bytes a second; nothing of it was kept.")
    }
    static func bodyTooLate(seconds: Int) -> Problem {
        Problem(
            .requestTimeout, "body_too_slow",
            "The body did not end within \(seconds) seconds; nothing of it was kept. Send it in parts.")
    }
    static let bodyIncomplete = Problem(
        .badRequest, "body_incomplete", "The request broke off before the end of its body; nothing of it was kept.")
}
