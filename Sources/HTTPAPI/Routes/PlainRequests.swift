import HTTPTypes
import Hummingbird
import Logging
import MailTypes
import NIOCore

/// What plain HTTP gets where the API speaks TLS. A page is redirected to its place under the public URL; a call of the
/// API, which may carry a key, is refused, because a redirect would hide from its owner that the key was sent in the clear.
/// A certificate authority finds here what proves a name.
enum PlainRequests {
    /// Browsers take what stands behind `#` with them, and send it to nobody.
    private static let pages = [
        APIOperation.confirmUnsubscribe, .joinPage, .signInPage, .passwordPage, .signUpPage,
    ].map(\.path)

    static func router(
        publicURL: String?, challenges: CertificateChallenges? = nil
    ) -> Hummingbird.Router<APIContext> {
        let router = Hummingbird.Router(context: APIContext.self)
        router.add(middleware: ProblemMiddleware(exposure: APIExposure()))
        if let challenges {
            router.get(RouterPath(CertificateChallenges.path)) { _, context -> Response in
                guard let text = await challenges.file(try context.pathParameter("token")) else {
                    throw Problem.notFound
                }
                return Response(
                    status: .ok, headers: [.contentType: "application/octet-stream"],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
            }
        }
        for method in UnroutedRequests.methods {
            for path in ["/", "/**"] + pages {
                let isPage = pages.contains(path) && [.get, .head].contains(method)
                router.on(RouterPath(path), method: method) { request, context -> Response in
                    // Not to the host that the request names: anybody can write one there.
                    if isPage, let publicURL {
                        return Response(
                            status: .permanentRedirect, headers: [.location: publicURL + request.uri.path])
                    }
                    if request.headers[.authorization] != nil {
                        context.logger.warning(
                            "a key was sent over plain HTTP: revoke it",
                            metadata: ["client": "\(context.peer?.description ?? "unknown")"])
                    }
                    throw Problem.httpsRequired
                }
            }
        }
        return router
    }
}
