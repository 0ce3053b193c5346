import Hummingbird
import Identity
import MailTypes
import Postgres

/// `/v1/password`: a new one for people who have forgotten theirs.
struct PasswordRoutes: Sendable {
    let reset: PasswordReset
    let hasMail: Bool
    let exposure: APIExposure

    func add(to routes: OperationRoutes) {
        routes.on(.requestPasswordCode, use: request)
        routes.on(.resetPassword, use: finish)
    }

    /// The answer is the same whether or not anybody has the address, and so is what is done before it.
    private func request(_ request: Request, _ context: APIContext) async throws -> Response {
        try RequestOrigin.refuseForeign(request, exposure)
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let payload = try StrictDecoding.decode(PasswordCodePayload.self, from: body)
        guard hasMail else { throw InvitationError.noMail }
        let browser = try await ConnectionOwner.$current.withValue(.strangers) {
            try await reset.request(address: payload.email, network: ClientNetwork(context.client.address).octets)
        }
        return SessionRoutes.codeMailed(browser)
    }

    private func finish(_ request: Request, _ context: APIContext) async throws -> Response {
        try RequestOrigin.refuseForeign(request, exposure)
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let payload = try StrictDecoding.decode(NewPasswordPayload.self, from: body)
        try await ConnectionOwner.$current.withValue(.strangers) {
            try await reset.finish(
                code: payload.code, browser: SessionCookies.code(of: request), password: payload.password)
        }
        var response = Response(status: .noContent)
        response.headers.append(SessionCookies.codeRemoval)
        return response
    }
}
