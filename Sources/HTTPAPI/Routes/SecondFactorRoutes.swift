import HTTPTypes
import Hummingbird
import Identity
import MailTypes

/// `/v1/me/second-factor` and `/v1/me/recovery-codes`: what people sign in with beside their password.
///
/// None of it has an idempotent form: stored answers are not sealed, and these hold secrets.
struct SecondFactorRoutes: Sendable {
    let factors: SecondFactors
    let signIn: SignIn

    func add(to routes: OperationRoutes) {
        routes.on(.getSecondFactor, use: get)
        routes.on(.beginSecondFactor, use: begin)
        routes.on(.confirmSecondFactor, use: confirm)
        routes.on(.disableSecondFactor, use: disable)
        routes.on(.replaceRecoveryCodes, use: replaceCodes)
    }

    private func get(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        let state = try await factors.state(of: user.user, in: user.kind.account)
        let changes = try await factors.changes(of: user.user, in: user.kind.account)
        return Idempotency.Answer(status: .ok, body: state.json(changes)).response()
    }

    /// Whoever finds a browser open must not be able to lock its user out, so the password is asked for.
    private func begin(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        let payload = try await decode(PasswordPayload.self, request, context)
        let secret = try await signIn.beginSecondFactor(
            of: user, by: .password(Redacted(payload.password)), network: network(context))
        return Idempotency.Answer(status: .created, body: secret.json).response()
    }

    private func confirm(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        let payload = try await decode(FirstCodePayload.self, request, context)
        let codes = try await signIn.confirmSecondFactor(of: user, code: payload.code)
        return Idempotency.Answer(status: .ok, body: RecoveryCodesAnswer.json(codes)).response()
    }

    private func disable(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        let proof = try await decode(ProofPayload.self, request, context).proof()
        try await signIn.disableSecondFactor(of: user, by: proof, network: network(context))
        return Response(status: .noContent)
    }

    private func replaceCodes(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try context.authenticatedUser()
        let proof = try await decode(ProofPayload.self, request, context).proof()
        let codes = try await signIn.replaceRecoveryCodes(of: user, by: proof, network: network(context))
        return Idempotency.Answer(status: .created, body: RecoveryCodesAnswer.json(codes)).response()
    }

    private func decode<Payload: StrictPayload>(
        _ type: Payload.Type, _ request: Request, _ context: APIContext
    ) async throws -> Payload {
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        return try StrictDecoding.decode(type, from: body)
    }

    private func network(_ context: APIContext) -> [UInt8] { ClientNetwork(context.client.address).octets }
}
