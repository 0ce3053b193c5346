import Hummingbird
import Identity
import MailTypes

/// `/v1/members`: the people of an account; `DELETE /v1/membership`: one of them leaves.
struct MemberRoutes: Sendable {
    let members: Members

    func add(to routes: OperationRoutes) {
        routes.on(.listMembers, use: list)
        routes.on(.changeMember, use: change)
        routes.on(.removeMember, use: remove)
        routes.on(.leaveAccount, use: leave)
    }

    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        // There are never more than fit into one page.
        PageRequest.response(try await members.list(of: context.authenticated()).map { $0.json() }, next: nil)
    }

    private func change(_ request: Request, _ context: APIContext) async throws -> Response {
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let role = try StrictDecoding.decode(MemberChangePayload.self, from: body).roleToGive()
        let changed = try await members.setRole(role, of: id(context), by: context.authenticatedUser())
        return Idempotency.Answer(status: .ok, body: changed.json()).response()
    }

    private func remove(_ request: Request, _ context: APIContext) async throws -> Response {
        try await members.remove(id(context), by: context.authenticatedUser())
        return Response(status: .noContent)
    }

    private func leave(_ request: Request, _ context: APIContext) async throws -> Response {
        _ = try context.authenticated()
        try await members.leave(context.authenticatedUser())
        context.requestNote?.note(SessionCookies.removal)
        return Response(status: .noContent)
    }

    private func id(_ context: APIContext) throws -> UserID {
        guard let id = UserID(try context.pathParameter("id")) else { throw UserError.userNotFound }
        return id
    }
}
