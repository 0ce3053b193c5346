import Hummingbird
import Identity
import MailTypes
import Postgres

/// `/v1/signup`: a stranger opens an account, in two steps.
struct SignUpRoutes: Sendable {
    /// Nil where strangers may not.
    let signUp: SignUp?
    let sessions: Sessions
    let exposure: APIExposure

    func add(to routes: OperationRoutes) {
        routes.on(.signUp, use: request)
        routes.on(.finishSignUp, use: finish)
    }

    /// The answer is the same whether or not anybody has the address, and so is what is done before it.
    private func request(_ request: Request, _ context: APIContext) async throws -> Response {
        try RequestOrigin.refuseForeign(request, exposure)
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let payload = try StrictDecoding.decode(SignUpPayload.self, from: body)
        guard let signUp else { throw SignUpError.closed }
        let browser = try await ConnectionOwner.$current.withValue(.strangers) {
            try await signUp.request(
                address: payload.email, password: payload.password, accountName: payload.account,
                network: ClientNetwork(context.client.address).octets)
        }
        return SessionRoutes.codeMailed(browser)
    }

    /// It has no idempotent form: the code is good once.
    private func finish(_ request: Request, _ context: APIContext) async throws -> Response {
        try RequestOrigin.refuseForeign(request, exposure)
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let payload = try StrictDecoding.decode(MailCodePayload.self, from: body)
        guard let signUp else { throw SignUpError.closed }
        let (user, secrets, device) = try await ConnectionOwner.$current.withValue(.strangers) {
            try await signUp.finish(
                code: payload.code, browser: SessionCookies.code(of: request),
                from: SessionOrigin(of: request, context))
        }
        return SessionRoutes.begun(user, secrets, sessions, device: device)
    }
}
