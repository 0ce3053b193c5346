import HTTPTypes
import Hummingbird

/// Decides which thread a request is worked on. One that computes little stays on the thread of its connection; everything
/// else leaves it, because that thread reads and writes for many, and for mail as well.
struct ThreadMiddleware: RouterMiddleware {
    typealias Context = APIContext

    @concurrent func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        if Self.computesLittle(request, context) { return try await next(request, context) }
        var response = try await withTaskExecutorPreference(globalConcurrentExecutor) {
            try await next(request, context)
        }
        // What has no length yet is made while it is sent.
        if response.body.contentLength == nil { response.body = response.body.madeElsewhere }
        return response
    }

    /// A key is compared with what is in memory; the token of a session has a signature.
    private static func computesLittle(_ request: Request, _ context: APIContext) -> Bool {
        guard request.method == .get, let path = context.endpointPath else { return false }
        return smallReads.contains(path) && request.headers[.authorization] != nil
    }

    private static let smallReads = Set(APIOperation.allCases.filter(\.isSmallRead).map(\.path))
}

extension ResponseBody {
    /// The same body, made on Swift's own threads.
    fileprivate var madeElsewhere: ResponseBody {
        ResponseBody { [self] writer in
            try await withTaskExecutorPreference(globalConcurrentExecutor) { try await write(writer) }
        }
    }
}
