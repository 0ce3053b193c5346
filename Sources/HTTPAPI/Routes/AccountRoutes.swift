import Hummingbird
import Identity
import MailTypes

/// `/v1/account`: what holds for all people of an account.
struct AccountRoutes: Sendable {
    let members: Members

    func add(to routes: OperationRoutes) {
        routes.on(.getAccount, use: get)
        routes.on(.changeAccount, use: change)
    }

    private func get(_ request: Request, _ context: APIContext) async throws -> Response {
        try await answer(context)
    }

    private func change(_ request: Request, _ context: APIContext) async throws -> Response {
        let body = try await request.wholeBody(limit: APILimits.signInBodyBytes, context)
        let payload = try StrictDecoding.decode(AccountChangePayload.self, from: body)
        try await members.demandSecondFactor(payload.secondFactorRequired, by: context.authenticatedUser())
        return try await answer(context)
    }

    private func answer(_ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        var json = JSONText()
        json.beginObject()
        json.member("account", account.description)
        json.member("second_factor_required", try await members.demandsSecondFactor(account))
        json.endObject()
        return Idempotency.Answer(status: .ok, body: json.text).response()
    }
}
