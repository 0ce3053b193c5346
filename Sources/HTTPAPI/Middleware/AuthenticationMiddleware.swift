import HTTPTypes
import Hummingbird
import Identity
import MailTypes
import Postgres

/// Finds who asks: by a bearer key (RFC 6750 §2.1), or else by the cookies of a session. Without either, or from a network that
/// the key is not for, a request goes no further. From here on the request takes database connections out of its account's
/// share, and one request of its key's or its user's minute.
struct AuthenticationMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let keys: APIKeys
    let limiter: RequestLimiter
    /// Of people, over connections that see more than one account's rows: operators have none.
    let userLimiter: RequestLimiter
    let limits: AccountLimits
    let sessions: Sessions
    let exposure: APIExposure
    var bodies = OpenBodies()

    @concurrent func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        // What a program writes by purpose goes before what a browser sends by itself.
        if let header = request.headers[.authorization] {
            return try await byKey(header, request, context, next)
        }
        guard let cookies = SessionCookies(request) else { throw Problem.unauthorized }
        return try await bySession(cookies, request, context, next)
    }

    private func byKey(
        _ header: String, _ request: Request, _ context: APIContext,
        _ next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer",
            let key = try await keys.authenticate(String(parts[1].drop { $0 == " " }))
        else { throw Problem.unauthorized }
        guard key.terms.allow(from: context.client.address) else { throw Problem.networkNotAllowed }
        var context = context
        context.caller = .key(key)
        context.callerWatch = CallerWatch { [keys] in try await keys.isStillValid(key) }
        context.bodyRoom = bodies.room(for: key.account, own: limits[.bodyBytes, key.account])
        let authenticated = context
        let owner = ConnectionOwner.account(key.account.rawValue, connections: limits[.requests, key.account])
        return try await ConnectionOwner.$current.withValue(owner) {
            guard let grant = try await limiter.take(key) else { return try await next(request, authenticated) }
            context.requestNote?.note(grant, policy: "key")
            guard grant.isGranted else { throw Problem.rateLimited(grant) }
            return try await next(request, authenticated)
        }
    }

    private func bySession(
        _ cookies: SessionCookies, _ request: Request, _ context: APIContext,
        _ next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let found = try await sessions.authenticate(token: cookies.token, refresh: cookies.refresh) else {
            throw Problem.unauthorized
        }
        let user = found.user
        if !Self.safeMethods.contains(request.method) {
            try RequestOrigin.require(request, exposure)
            guard let proof = request.headers[.csrfToken], sessions.isProof(proof, of: user) else {
                throw Problem.csrfTokenMissing
            }
        }
        if let fresh = found.fresh { context.requestNote?.note(SessionCookies.fields(fresh)) }
        var context = context
        context.caller = .person(user)
        context.callerWatch = CallerWatch { [sessions] in try await sessions.isStillValid(user) }
        let account = user.kind.account
        context.bodyRoom = bodies.room(for: account, own: limits[.bodyBytes, account])
        let authenticated = context
        // Operators have no account, so they see no account's rows.
        let owner: ConnectionOwner =
            switch user.kind {
            case .member: .account(account.rawValue, connections: limits[.requests, account])
            case .installationOperator: ConnectionOwner("operators")
            }
        return try await ConnectionOwner.$current.withValue(owner) {
            guard let grant = try await userLimiter.take(user) else { return try await next(request, authenticated) }
            context.requestNote?.note(grant, policy: "user")
            guard grant.isGranted else { throw Problem.userRateLimited(grant) }
            return try await next(request, authenticated)
        }
    }

    /// They change nothing (RFC 9110 §9.2.1).
    private static let safeMethods: Set<HTTPRequest.Method> = [.get, .head, .options, .trace]
}

/// Asks whether who began a request that goes on for long may still do so.
struct CallerWatch: Sendable {
    private let ask: @Sendable () async throws -> Bool

    init(_ ask: @escaping @Sendable () async throws -> Bool) { self.ask = ask }

    /// Not out of the account's share of connections: an account that uses all of it would keep a revoked key alive.
    func isValid() async throws -> Bool { try await ConnectionOwner.$current.withValue(nil) { try await ask() } }
}

extension HTTPField.Name {
    static let csrfToken = HTTPField.Name("X-CSRF-Token")!
}
