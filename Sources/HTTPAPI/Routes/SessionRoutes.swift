import HTTPTypes
import Hummingbird
import Identity
import MailTypes
import Postgres

/// `/v1/session`: people sign in, see who they are, and sign out.
struct SessionRoutes: Sendable {
    let sessions: Sessions
    let signIn: SignIn
    let exposure: APIExposure

    func add(to routes: OperationRoutes) {
        routes.on(.signIn, use: begin)
        routes.on(.getSession, use: get)
        routes.on(.signOut, use: end)
    }

    /// It has no idempotent form: each sign-in is a session of its own.
    private func begin(_ request: Request, _ context: APIContext) async throws -> Response {
        // A page elsewhere could else sign a visitor in as somebody else, who would then read what they write.
        try RequestOrigin.refuseForeign(request, exposure)
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let payload = try StrictDecoding.decode(SignInPayload.self, from: body)
        // Strangers together have the share of one account.
        let (user, secrets) = try await ConnectionOwner.$current.withValue(ConnectionOwner("sign-ins")) {
            try await signIn.begin(
                address: payload.email, password: payload.password,
                network: ClientNetwork(context.client.address).octets)
        }
        var response = answer(user, status: .created)
        for field in SessionCookies.fields(secrets) { response.headers.append(field) }
        return response
    }

    private func get(_ request: Request, _ context: APIContext) async throws -> Response {
        answer(try context.authenticatedUser(), status: .ok)
    }

    private func end(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        _ = try await sessions.end(user.session, of: user.kind.account)
        context.requestNote?.note(SessionCookies.removal)
        return Response(status: .noContent)
    }

    private func answer(_ user: AuthenticatedUser, status: HTTPResponse.Status) -> Response {
        Idempotency.Answer(status: status, body: user.json(csrfToken: sessions.proof(of: user))).response()
    }
}
