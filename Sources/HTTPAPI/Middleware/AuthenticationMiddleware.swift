import HTTPTypes
import Hummingbird
import Identity
import MailTypes
import Postgres

/// Finds the account of the bearer key (RFC 6750 §2.1); without a valid one a request goes no further. From here on the
/// request takes database connections out of its account's share.
struct AuthenticationMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let keys: APIKeys
    var bodies = OpenBodies()

    @concurrent func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let header = request.headers[.authorization] else { throw Problem.unauthorized }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer",
            let account = try await keys.authenticate(String(parts[1].drop { $0 == " " }))
        else { throw Problem.unauthorized }
        var context = context
        context.account = account
        context.bodyRoom = bodies.room(for: account)
        let authenticated = context
        return try await ConnectionOwner.$current.withValue(ConnectionOwner("account \(account)")) {
            try await next(request, authenticated)
        }
    }
}
