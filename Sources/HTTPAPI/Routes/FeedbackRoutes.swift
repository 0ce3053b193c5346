import HTTPTypes
import Hummingbird
import MailTypes
import ProviderWebhooks

/// Where providers report what became of mails. The secret in the address stands for the key that other routes ask for; a
/// wrong one is answered like an address that nobody has.
struct FeedbackRoutes: Sendable {
    let intake: ProviderIntake

    func add(to routes: OperationRoutes) {
        routes.on(.reportFeedback, use: take)
    }

    private func take(_ request: Request, _ context: APIContext) async throws -> Response {
        let answer: ProviderAnswer
        do {
            let (provider, secret) = (try context.pathParameter("provider"), try context.pathParameter("secret"))
            guard let admission = try await intake.admit(provider: provider, secret: secret) else {
                throw Problem.notFound
            }
            let body = try await request.wholeBody(limit: ProviderLimits.bodyBytes, context)
            let headers = request.headers.map { (name: $0.name.canonicalName, value: $0.value) }
            answer = await intake.take(ProviderDelivery(headers: headers, body: body), for: admission)
        } catch let refusal as ProviderAnswer {
            answer = refusal
        }
        guard answer.status == 200 else { throw Problem(answer) }
        return Idempotency.Answer(status: .ok, body: #"{"status":"taken"}"#).response()
    }
}

extension Problem {
    init(_ answer: ProviderAnswer) {
        self.init(Self.status(answer.status), answer.code, answer.detail)
        retryAfter = answer.retryAfter
    }

    /// With its name, which a bare code has not.
    private static func status(_ code: Int) -> HTTPResponse.Status {
        switch code {
        case 400: .badRequest
        case 403: .forbidden
        case 404: .notFound
        case 406: .notAcceptable
        case 429: .tooManyRequests
        case 503: .serviceUnavailable
        default: .init(code: code)
        }
    }
}
