import HTTPTypes
import Hummingbird
import Identity
import MailTypes
import Postgres

/// `/v1/session`: people sign in, in one step or two, see who they are, and sign out.
struct SessionRoutes: Sendable {
    let sessions: Sessions
    let signIn: SignIn
    let exposure: APIExposure

    func add(to routes: OperationRoutes) {
        routes.on(.signIn, use: begin)
        routes.on(.finishSignIn, use: finish)
        routes.on(.getSession, use: get)
        routes.on(.signOut, use: end)
    }

    /// It has no idempotent form: each sign-in is a session of its own.
    private func begin(_ request: Request, _ context: APIContext) async throws -> Response {
        // A page elsewhere could else sign a visitor in as somebody else, who would then read what they write.
        try RequestOrigin.refuseForeign(request, exposure)
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let payload = try StrictDecoding.decode(SignInPayload.self, from: body)
        let signedIn = try await asStranger {
            try await signIn.begin(
                address: payload.email, password: payload.password,
                network: ClientNetwork(context.client.address).octets)
        }
        return answer(signedIn)
    }

    /// The second step. What goes on from the first is in a cookie of the browser, so a code alone is of no use elsewhere.
    private func finish(_ request: Request, _ context: APIContext) async throws -> Response {
        try RequestOrigin.refuseForeign(request, exposure)
        guard let step = SessionCookies.step(request) else { throw SignInError.stepOver }
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let proof = try StrictDecoding.decode(CodePayload.self, from: body).proof()
        let signedIn = try await asStranger {
            try await signIn.finish(step, by: proof, network: ClientNetwork(context.client.address).octets)
        }
        var response = answer(signedIn)
        response.headers.append(SessionCookies.stepRemoval)
        return response
    }

    /// Strangers together have the share of one account.
    private func asStranger<Value>(_ work: () async throws -> Value) async throws -> Value {
        try await ConnectionOwner.$current.withValue(ConnectionOwner("sign-ins")) { try await work() }
    }

    private func answer(_ signedIn: SignedIn) -> Response {
        switch signedIn {
        case .session(let user, let secrets):
            var response = answer(user, status: .created)
            for field in SessionCookies.fields(secrets) { response.headers.append(field) }
            return response
        case .step(let step):
            var response = Idempotency.Answer(status: .accepted, body: SignInStep.json).response()
            response.headers.append(SessionCookies.field(step))
            return response
        }
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
