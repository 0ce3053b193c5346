import HTTPTypes
import Hummingbird

/// Answers for requests that no route takes: 405 where another method would have been taken, and below `/v1` the key
/// before anything else, so that the outside learns nothing of what is there.
enum UnroutedRequests {
    /// Called when all routes are there.
    static func add(to router: Hummingbird.Router<APIContext>, _ authentication: AuthenticationMiddleware) {
        let authenticated = router.group().add(middleware: authentication)
        for (path, allowed) in allowedMethods(router) {
            for method in methods.subtracting(allowed) {
                let problem = Problem.methodNotAllowed(allowed)
                if path.hasPrefix("/v1/") {
                    authenticated.on(RouterPath(path), method: method) { _, _ -> Response in throw problem }
                } else {
                    router.on(RouterPath(path), method: method) { _, _ -> Response in throw problem }
                }
            }
        }
        for method in methods {
            for path: RouterPath in ["/v1", "/v1/**"] {
                authenticated.on(path, method: method) { _, _ -> Response in throw Problem.notFound }
            }
        }
    }

    private static func allowedMethods(_ router: Hummingbird.Router<APIContext>) -> [String: Set<HTTPRequest.Method>] {
        var allowed: [String: Set<HTTPRequest.Method>] = [:]
        for route in router.routes {
            allowed[route.path.description, default: []].insert(route.method)
            if route.method == .get { allowed[route.path.description, default: []].insert(.head) }
        }
        return allowed
    }

    /// Those that HTTP itself and its extensions define and that name a path.
    static let methods: Set<HTTPRequest.Method> = [
        .get, .head, .post, .put, .delete, .options, .trace, .patch, HTTPRequest.Method("QUERY")!,
    ]
}
