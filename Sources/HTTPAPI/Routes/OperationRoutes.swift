import HTTPTypes
import Hummingbird
import Identity

/// Takes the routes of the API and puts before each what its operation asks of the caller.
struct OperationRoutes {
    private let open: Hummingbird.Router<APIContext>
    private let authenticated: RouterGroup<APIContext>

    init(_ router: Hummingbird.Router<APIContext>, _ authentication: AuthenticationMiddleware) {
        open = router
        authenticated = router.group().add(middleware: authentication)
    }

    func on(
        _ operation: APIOperation,
        use handler: @escaping @Sendable (Request, APIContext) async throws -> Response
    ) {
        let path = RouterPath(operation.path)
        switch operation.access {
        case .open: open.on(path, method: operation.method, use: handler)
        case .key, .person:
            authenticated.on(path, method: operation.method) { request, context in
                try context.require(operation)
                return try await handler(request, context)
            }
        }
    }
}
