import HTTPTypes
import Hummingbird

/// Which web pages of others may call the API from a browser (the CORS protocol of the Fetch standard). Nobody's by
/// default. Browsers send keys only where a page sets them: credentials of the browser's own are never allowed.
package struct CrossOrigins: Sendable, Hashable {
    /// As browsers write them: `https://app.example.com`.
    private let allowed: Set<String>

    package init(_ allowed: Set<String> = []) { self.allowed = allowed }

    /// The answer to a browser that asks before its call; nil for what is no such question, or of another page.
    func preflight(_ request: Request) -> Response? {
        guard request.method == .options, Self.isOfAPI(request), origin(of: request) != nil,
            request.headers[.accessControlRequestMethod] != nil
        else { return nil }
        return Response(
            status: .noContent,
            headers: [
                .accessControlAllowMethods: "GET, HEAD, POST, PATCH, DELETE",
                .accessControlAllowHeaders: "Authorization, Content-Type, Idempotency-Key, Last-Event-ID",
                .accessControlMaxAge: "7200",
            ])
    }

    /// What every answer of the API tells a browser, refusals among them. Caches must tell origins apart also where there
    /// was none.
    func add(to headers: inout HTTPFields, for request: Request) {
        guard !allowed.isEmpty, Self.isOfAPI(request) else { return }
        headers[values: .vary].append("Origin")
        guard let origin = origin(of: request) else { return }
        headers[.accessControlAllowOrigin] = origin
        headers[.accessControlExposeHeaders] =
            "Idempotency-Replayed, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate"
    }

    private func origin(of request: Request) -> String? {
        let origins = request.headers[values: .origin]
        guard origins.count == 1, allowed.contains(origins[0]) else { return nil }
        return origins[0]
    }

    private static func isOfAPI(_ request: Request) -> Bool { request.uri.path.hasPrefix("/v1/") }
}
