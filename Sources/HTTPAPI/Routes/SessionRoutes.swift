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
        routes.on(.confirmDevice, use: confirmDevice)
        routes.on(.getSession, use: get)
        routes.on(.signOut, use: end)
    }

    /// It has no idempotent form: each sign-in is a session of its own.
    private func begin(_ request: Request, _ context: APIContext) async throws -> Response {
        // A page elsewhere could else sign a visitor in as somebody else, who would then read what they write.
        try RequestOrigin.refuseForeign(request, exposure)
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let payload = try StrictDecoding.decode(SignInPayload.self, from: body)
        let signedIn = try await ConnectionOwner.$current.withValue(.strangers) {
            try await signIn.begin(
                address: payload.email, password: payload.password,
                network: ClientNetwork(context.client.address).octets, device: SessionCookies.device(of: request),
                from: SessionOrigin(of: request, context))
        }
        return answer(signedIn)
    }

    /// The second step. What goes on from the first is in a cookie of the browser, so a code alone is of no use elsewhere.
    private func finish(_ request: Request, _ context: APIContext) async throws -> Response {
        try RequestOrigin.refuseForeign(request, exposure)
        guard let step = SessionCookies.step(request) else { throw SignInError.stepOver }
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let proof = try StrictDecoding.decode(CodePayload.self, from: body).proof()
        let signedIn = try await ConnectionOwner.$current.withValue(.strangers) {
            try await signIn.finish(
                step, by: proof, network: ClientNetwork(context.client.address).octets,
                from: SessionOrigin(of: request, context))
        }
        var response = answer(signedIn)
        response.headers.append(SessionCookies.stepRemoval)
        return response
    }

    /// Instead of the second step, where none is asked for and the browser is new.
    private func confirmDevice(_ request: Request, _ context: APIContext) async throws -> Response {
        try RequestOrigin.refuseForeign(request, exposure)
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let payload = try StrictDecoding.decode(MailCodePayload.self, from: body)
        let (user, secrets, device) = try await ConnectionOwner.$current.withValue(.strangers) {
            try await signIn.confirmDevice(
                code: payload.code, browser: SessionCookies.code(of: request),
                network: ClientNetwork(context.client.address).octets, from: SessionOrigin(of: request, context))
        }
        return Self.begun(user, secrets, sessions, device: device)
    }

    private func answer(_ signedIn: SignedIn) -> Response {
        switch signedIn {
        case .session(let user, let secrets): return Self.begun(user, secrets, sessions)
        case .step(let step):
            var response = Idempotency.Answer(status: .accepted, body: SignInStep.json).response()
            response.headers.append(SessionCookies.field(step))
            return response
        case .codeMailed(let browser): return Self.codeMailed(browser)
        }
    }

    /// The answer to whoever is mailed a code, or would be if they were somebody.
    static func codeMailed(_ browser: Redacted<String>) -> Response {
        var json = JSONText()
        json.beginObject()
        json.member("code_mailed", true)
        json.member("seconds", PeopleLimits.codeSeconds)
        json.endObject()
        var response = Idempotency.Answer(status: .accepted, body: json.text).response()
        response.headers.append(SessionCookies.code(browser))
        return response
    }

    /// The answer to whoever has just signed in by a code of a mail.
    ///
    /// - Parameter device: the secret of their browser, which is known from here on
    static func begun(
        _ user: AuthenticatedUser, _ secrets: SessionSecrets, _ sessions: Sessions, device: Redacted<String>
    ) -> Response {
        var response = begun(user, secrets, sessions)
        for field in [SessionCookies.device(device), SessionCookies.codeRemoval] { response.headers.append(field) }
        return response
    }

    /// The answer to whoever has just signed in.
    static func begun(_ user: AuthenticatedUser, _ secrets: SessionSecrets, _ sessions: Sessions) -> Response {
        var response = answer(user, sessions, status: .created)
        for field in SessionCookies.fields(secrets) { response.headers.append(field) }
        return response
    }

    private func get(_ request: Request, _ context: APIContext) async throws -> Response {
        Self.answer(try context.authenticatedUser(), sessions, status: .ok)
    }

    private func end(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        _ = try await sessions.end(user.session, of: user.kind.account)
        context.requestNote?.note(SessionCookies.removal)
        return Response(status: .noContent)
    }

    private static func answer(
        _ user: AuthenticatedUser, _ sessions: Sessions, status: HTTPResponse.Status
    ) -> Response {
        Idempotency.Answer(status: status, body: user.json(csrfToken: sessions.proof(of: user))).response()
    }
}

extension SessionOrigin {
    init(of request: Request, _ context: APIContext) {
        self.init(userAgent: request.headers[.userAgent], address: context.client.address)
    }
}
