import HTTPTypes
import Hummingbird
import Logging
import MailTypes

/// Finds out who asks and how, turns every error into a problem document, and gives every answer, errors among them, the
/// headers of ``ResponseHeaders``. What the client could not have caused is logged with its reference. Who asks too much is
/// answered with a pause, because clients that come back at once would cost the others as much as what they were refused.
struct ProblemMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let exposure: APIExposure

    @concurrent func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        let note = RequestNote()
        context.requestNote = note
        context.client = exposure.client(of: request, peer: context.peer)
        var response: Response
        do {
            // The key of such a call has travelled in the clear; a redirect would hide that from its owner.
            guard context.client.transport != .plain else { throw Problem.httpsRequired }
            if let preflight = exposure.origins.preflight(request) {
                response = preflight
            } else {
                response = try await next(request, context)
            }
        } catch {
            let problem = Problem(describing: error)
            if problem.status.kind == .serverError {
                // Whoever reads the log may be slow, and mail waits for the thread of a small read.
                await withTaskExecutorPreference(globalConcurrentExecutor) {
                    await Self.log(problem, error, context)
                }
            }
            if problem.comesAfterAPause { try? await Task.sleep(for: APILimits.refusalPause) }
            response = problem.response(reference: context.reference)
        }
        note.add(to: &response.headers)
        exposure.origins.add(to: &response.headers, for: request)
        ResponseHeaders.add(to: &response, isEncrypted: context.client.transport == .encrypted)
        // An answer to HEAD has no body, whoever wrote it (RFC 9110 §9.3.2).
        return request.method == .head ? response.createHeadResponse() : response
    }

    @concurrent private static func log(_ problem: Problem, _ error: any Error, _ context: APIContext) async {
        context.logger.error(
            "request failed",
            metadata: ["reference": "\(context.reference)", "code": "\(problem.code)", "error": "\(error)"])
    }
}
