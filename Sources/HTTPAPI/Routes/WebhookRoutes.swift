import HTTPTypes
import Hummingbird
import MailTypes
import Postgres
import Webhooks

/// `/v1/webhooks`: where an account wants to be told what happens.
struct WebhookRoutes: Sendable {
    let webhooks: WebhookEndpoints
    let idempotency: Idempotency

    func add(to routes: OperationRoutes) {
        routes.on(.listWebhooks, use: list)
        routes.on(.addWebhook, use: create)
        routes.on(.getWebhook, use: get)
        routes.on(.changeWebhook, use: update)
        routes.on(.removeWebhook, use: remove)
        routes.on(.rotateWebhookSecret, use: rotate)
        routes.on(.testWebhook, use: test)
        routes.on(.replayWebhook, use: replay)
        routes.on(.listWebhookAttempts, use: attempts)
    }

    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        let found = try await webhooks.list(context.authenticated())
        return PageRequest.response(found.map { $0.json() }, next: nil)
    }

    private func get(_ request: Request, _ context: APIContext) async throws -> Response {
        let found = try await webhooks.get(context.authenticated(), try id(context))
        return Idempotency.Answer(status: .ok, body: found.json()).response()
    }

    private func create(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let body = try await request.wholeBody(limit: APILimits.smallBodyBytes, context)
        let digest = Idempotency.digest(body)
        let ticket = try idempotency.ticket(request, context)
        let answer = try await idempotency.answer(ticket, request: digest) {
            let payload = try StrictDecoding.decode(WebhookPayload.self, from: body)
            let made = try await webhooks.create(
                account, url: payload.url, types: payload.types(), batchSize: payload.batchSize,
                description: payload.description ?? ""
            ) { connection, made in
                try await ticket?.save(Self.kept(made.0, .created), request: digest, on: connection)
            }
            return Self.shown(made, .created)
        }
        return try await revealed(answer, account).response()
    }

    /// With the secret, which is shown this once.
    private static func shown(
        _ made: (WebhookEndpoint, WebhookSecret), _ status: HTTPResponse.Status
    ) -> Idempotency.Answer {
        Idempotency.Answer(status: status, body: made.0.json(secret: made.1))
    }

    /// Stored answers are not sealed: of the webhook they keep its identifier alone.
    private static func kept(_ webhook: WebhookEndpoint, _ status: HTTPResponse.Status) -> Idempotency.Answer {
        Idempotency.Answer(status: status, body: webhook.id.description)
    }

    /// The repeated answer, with the secret that the webhook has now.
    private func revealed(_ answer: Idempotency.Answer, _ account: AccountID) async throws -> Idempotency.Answer {
        guard answer.isReplayed else { return answer }
        guard let id = WebhookID(answer.body) else { throw Problem.internalError }
        var shown = Self.shown(try await webhooks.reveal(account, id), answer.status)
        shown.isReplayed = true
        return shown
    }

    /// Without an idempotency key: to ask twice for the same leaves the same.
    private func update(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let id = try id(context)
        let body = try await request.wholeBody(limit: APILimits.smallBodyBytes, context)
        let payload = try StrictDecoding.decode(WebhookChangePayload.self, from: body)
        let found = try await webhooks.update(account, id, try payload.change())
        return Idempotency.Answer(status: .ok, body: found.json()).response()
    }

    private func remove(_ request: Request, _ context: APIContext) async throws -> Response {
        guard try await webhooks.remove(context.authenticated(), try id(context)) else { throw Problem.notFound }
        return Response(status: .noContent)
    }

    private func rotate(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let id = try id(context)
        let body = try await request.wholeBody(limit: APILimits.smallBodyBytes, context)
        let digest = Idempotency.digest(body)
        let ticket = try idempotency.ticket(request, context)
        let answer = try await idempotency.answer(ticket, request: digest) {
            let payload = try StrictDecoding.decode(
                WebhookRotationPayload.self, from: body.isEmpty ? Array("{}".utf8) : body)
            let rotated = try await webhooks.rotate(account, id, overlap: payload.overlap) { connection, rotated in
                try await ticket?.save(Self.kept(rotated.0, .ok), request: digest, on: connection)
            }
            return Self.shown(rotated, .ok)
        }
        return try await revealed(answer, account).response()
    }

    private func test(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let id = try id(context)
        let body = try await request.wholeBody(limit: APILimits.smallBodyBytes, context)
        let digest = Idempotency.digest(body)
        let ticket = try idempotency.ticket(request, context)
        func answer(_ event: String) -> Idempotency.Answer {
            var json = JSONText()
            json.beginObject()
            json.member("event", event)
            json.endObject()
            return Idempotency.Answer(status: .accepted, body: json.text)
        }
        return try await idempotency.answer(ticket, request: digest) {
            let event = try await webhooks.test(account, id) { connection, event in
                try await ticket?.save(answer(event), request: digest, on: connection)
            }
            return answer(event)
        }.response()
    }

    private func replay(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let id = try id(context)
        let body = try await request.wholeBody(limit: APILimits.smallBodyBytes, context)
        let digest = Idempotency.digest(body)
        let ticket = try idempotency.ticket(request, context)
        func answer(_ queued: Int) -> Idempotency.Answer {
            var json = JSONText()
            json.beginObject()
            json.member("queued", Int64(queued))
            json.endObject()
            return Idempotency.Answer(status: .accepted, body: json.text)
        }
        return try await idempotency.answer(ticket, request: digest) {
            let payload = try StrictDecoding.decode(WebhookReplayPayload.self, from: body)
            let queued = try await webhooks.replay(account, id, payload.replay()) { connection, queued in
                try await ticket?.save(answer(queued), request: digest, on: connection)
            }
            return answer(queued)
        }.response()
    }

    private func attempts(_ request: Request, _ context: APIContext) async throws -> Response {
        let page = try PageRequest(request)
        let found = try await webhooks.attempts(
            context.authenticated(), try id(context), before: try page.cursor { Int64($0) }, limit: page.limit)
        return PageRequest.response(
            found.map(\.json), next: found.count == page.limit ? found.last.map { String($0.number) } : nil)
    }

    private func id(_ context: APIContext) throws -> WebhookID {
        guard let id = WebhookID(try context.pathParameter("id")) else { throw Problem.notFound }
        return id
    }
}
