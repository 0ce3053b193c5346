import Hummingbird
import Identity
import MailTypes

/// `/v1/sessions` and `/v1/members/{id}/sessions`: who is signed in to an account; `/v1/me/sessions`: where one is oneself.
struct SessionListRoutes: Sendable {
    /// Of whoever asks, operators among them.
    let sessions: Sessions
    let memberSessions: MemberSessions

    func add(to routes: OperationRoutes) {
        routes.on(.listSessions, use: list)
        routes.on(.endSession, use: end)
        routes.on(.endSessions, use: endAll)
        routes.on(.endMemberSessions, use: endAllOfMember)
        routes.on(.listOwnSessions, use: listOwn)
        routes.on(.endOwnSession, use: endOwn)
        routes.on(.endOwnSessions, use: endAllOwn)
    }

    // MARK: Of the account

    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        let page = try PageRequest(request)
        let cursor = try page.cursor { SessionID($0) }
        let user = try request.uri.queryParameters.get("user").map { text in
            guard let user = UserID(String(text)) else {
                throw Problem.invalid("invalid_field", "user is a user's id, such as usr_7.", fields: ["user"])
            }
            return user
        }
        let found = try await memberSessions.list(
            of: context.authenticated(), user: user, before: cursor, limit: page.limit)
        let own = try context.authenticatedUser().session
        return PageRequest.response(
            found.map { $0.json(own: own) }, next: found.count == page.limit ? found.last?.id.description : nil)
    }

    private func end(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        let session = try session(context)
        try await memberSessions.end(session, by: user)
        return ended(isOwn: session == user.session, context)
    }

    private func endAll(_ request: Request, _ context: APIContext) async throws -> Response {
        try await memberSessions.endAll(by: context.authenticatedUser())
        return ended(isOwn: true, context)
    }

    private func endAllOfMember(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        guard let member = UserID(try context.pathParameter("id")) else { throw UserError.userNotFound }
        try await memberSessions.endAll(of: member, by: user)
        return ended(isOwn: member == user.user, context)
    }

    // MARK: One's own

    private func listOwn(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        // There are never more than fit into one page.
        return PageRequest.response(
            try await sessions.list(of: user).map { $0.json(own: user.session) }, next: nil)
    }

    private func endOwn(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        let session = try session(context)
        guard try await sessions.end(session, of: user.kind.account, user: user.user) else {
            throw SessionError.notFound
        }
        return ended(isOwn: session == user.session, context)
    }

    private func endAllOwn(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        _ = try await sessions.endAll(of: user.user, in: user.kind.account)
        return ended(isOwn: true, context)
    }

    // MARK: Both

    private func session(_ context: APIContext) throws -> SessionID {
        guard let session = SessionID(try context.pathParameter("id")) else { throw SessionError.notFound }
        return session
    }

    /// - Parameter isOwn: whether the session that asks is over too. Then its cookies are taken away.
    private func ended(isOwn: Bool, _ context: APIContext) -> Response {
        if isOwn { context.requestNote?.note(SessionCookies.removal) }
        return Response(status: .noContent)
    }
}
