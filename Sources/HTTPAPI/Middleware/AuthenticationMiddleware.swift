import HTTPTypes
import Hummingbird
import Identity
import MailTypes
import Postgres

/// Finds the bearer key (RFC 6750 §2.1) and its account; without a valid one, or from a network that the key is not for, a
/// request goes no further. From here on the request takes database connections out of its account's share, and one
/// request of its key's minute.
struct AuthenticationMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let keys: APIKeys
    let limiter: RequestLimiter
    var bodies = OpenBodies()

    @concurrent func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let header = request.headers[.authorization] else { throw Problem.unauthorized }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer",
            let key = try await keys.authenticate(String(parts[1].drop { $0 == " " }))
        else { throw Problem.unauthorized }
        guard key.terms.allow(from: context.client.address) else { throw Problem.networkNotAllowed }
        var context = context
        context.key = key
        context.keyWatch = KeyWatch(keys: keys, key: key)
        context.bodyRoom = bodies.room(for: key.account)
        let authenticated = context
        return try await ConnectionOwner.$current.withValue(.account(key.account.rawValue)) {
            guard let grant = try await limiter.take(key) else { return try await next(request, authenticated) }
            context.requestNote?.note(grant)
            guard grant.isGranted else { throw Problem.rateLimited(grant) }
            return try await next(request, authenticated)
        }
    }
}

/// Asks whether the key of a request that goes on for long is still good.
struct KeyWatch: Sendable {
    let keys: APIKeys
    let key: AuthenticatedKey

    /// Not out of the account's share of connections: an account that uses all of it would keep a revoked key alive.
    func isValid() async throws -> Bool {
        try await ConnectionOwner.$current.withValue(nil) { try await keys.isStillValid(key) }
    }
}
