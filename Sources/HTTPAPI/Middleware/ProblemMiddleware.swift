
import HTTPTypes
import Hummingbird
import Logging

/// Turns every error into a problem document; what the client could not have caused is logged with its reference.
struct ProblemMiddleware: RouterMiddleware {
    typealias Context = APIContext

    @concurrent func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            var response = try await next(request, context)
            response.headers[.cacheControl] = response.headers[.cacheControl] ?? "no-store"
            response.headers[.contentTypeOptions] = "nosniff"
            return response
        } catch {
            let problem = Problem(describing: error)
            if problem.status.kind == .serverError {
                context.logger.error(
                    "request failed",
                    metadata: ["reference": "\(context.id)", "code": "\(problem.code)", "error": "\(error)"])
            }
            return problem.response(reference: context.id)
        }
    }
}

extension HTTPField.Name {
    static let contentTypeOptions = HTTPField.Name("X-Content-Type-Options")!
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    static let idempotencyReplayed = HTTPField.Name("Idempotency-Replayed")!
    static let wwwAuthenticate = HTTPField.Name("WWW-Authenticate")!
}
