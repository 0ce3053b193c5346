import HTTPTypes
import Hummingbird
import Identity
import MailTypes
import Postgres

/// `/v1/invitations`: who is asked to join an account; `POST /v1/membership`: one of them does.
struct InvitationRoutes: Sendable {
    let invitations: Invitations
    let joining: Joining
    let sessions: Sessions
    let hasMail: Bool
    let exposure: APIExposure
    let idempotency: Idempotency

    func add(to routes: OperationRoutes) {
        routes.on(.listInvitations, use: list)
        routes.on(.createInvitation, use: create)
        routes.on(.revokeInvitation, use: revoke)
        routes.on(.joinAccount, use: join)
    }

    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        // There are never more than fit into one page.
        PageRequest.response(try await invitations.list(of: context.authenticated()).map { $0.json() }, next: nil)
    }

    private func create(_ request: Request, _ context: APIContext) async throws -> Response {
        let inviter = try context.authenticatedUser()
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let digest = Idempotency.digest(body)
        let ticket = try idempotency.ticket(request, context)
        return try await idempotency.answer(ticket, request: digest) {
            let payload = try StrictDecoding.decode(InvitationPayload.self, from: body)
            guard hasMail else { throw InvitationError.noMail }
            let made = try await invitations.create(payload.email, as: payload.roleToGive(), by: inviter) {
                connection, invitation in
                // A session that is ended while it asks would otherwise leave an invitation behind.
                try await sessions.hold(inviter, on: connection)
                try await ticket?.save(Self.created(invitation), request: digest, on: connection)
            }
            return Self.created(made)
        }.response()
    }

    private static func created(_ invitation: Invitation) -> Idempotency.Answer {
        Idempotency.Answer(status: .created, body: invitation.json())
    }

    private func revoke(_ request: Request, _ context: APIContext) async throws -> Response {
        guard let id = InvitationID(try context.pathParameter("id")) else { throw InvitationError.notFound }
        try await invitations.revoke(id, of: context.authenticated())
        return Response(status: .noContent)
    }

    /// It has no idempotent form: the secret is good once.
    private func join(_ request: Request, _ context: APIContext) async throws -> Response {
        try RequestOrigin.refuseForeign(request, exposure)
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let payload = try StrictDecoding.decode(JoiningPayload.self, from: body)
        let (user, secrets) = try await ConnectionOwner.$current.withValue(.strangers) {
            try await joining.join(
                secret: payload.secret, name: payload.name, password: payload.password,
                from: SessionOrigin(of: request, context))
        }
        return SessionRoutes.begun(user, secrets, sessions)
    }
}
