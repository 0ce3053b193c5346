import Campaigns
import CreditLedger
import Foundation
import HTTPTypes
import Hummingbird
import MailMessage
import MailTypes
import Postgres

/// `/v1/campaigns`: from draft to certificate.
struct CampaignRoutes: Sendable {
    let campaigns: CampaignService
    let idempotency: Idempotency
    let limits: AccountLimits
    private let uploads = OpenPlaces(perAccount: APILimits.uploadsPerAccount, onNode: APILimits.uploads)
    private let listings = OpenPlaces(perAccount: APILimits.listingsPerAccount)
    private let steering = RequestPace(burst: APILimits.steeringBurst, perSecond: APILimits.steeringPerSecond)

    init(campaigns: CampaignService, idempotency: Idempotency, limits: AccountLimits) {
        self.campaigns = campaigns
        self.limits = limits
        self.idempotency = idempotency
    }

    func add(to routes: OperationRoutes) {
        routes.on(.createCampaign, use: create)
        routes.on(.listCampaigns, use: list)
        routes.on(.getCampaign, use: get)
        routes.on(.deleteDraft, use: delete)
        routes.on(.addRecipients, use: importRecipients)
        routes.on(.listRecipients, use: recipients)
        routes.on(.quoteCampaign, use: quote)
        routes.on(.sendCampaign, use: send)
        routes.on(.pauseCampaign) { try await act($0, $1, campaigns.pause(_:_:onCommit:)) }
        routes.on(.resumeCampaign) { try await act($0, $1, campaigns.resume(_:_:onCommit:)) }
        routes.on(.cancelCampaign) { try await act($0, $1, campaigns.cancel(_:_:onCommit:)) }
        routes.on(.getCertificate, use: certificate)
    }

    // MARK: Drafting

    private func create(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let body = try await request.wholeBody(limit: APILimits.bodyBytes, context)
        let digest = Idempotency.digest(body)
        let ticket = try idempotency.ticket(request, context)
        let answer = try await idempotency.answer(ticket, request: digest) {
            let campaign = try StrictDecoding.decode(CampaignPayload.self, from: body).request()
            let draft = try await campaigns.create(account, campaign) { connection, draft in
                try await ticket?.save(Self.created(draft), request: digest, on: connection)
            }
            return Self.created(draft)
        }
        var response = answer.response()
        response.headers[.location] = try Self.location(answer)
        return response
    }

    private static func created(_ draft: Campaign) -> Idempotency.Answer {
        Idempotency.Answer(
            status: .created,
            body: draft.json(
                credits: CampaignCredits(held: 0, charged: 0, released: 0), blocks: [],
                reasons: CampaignReasons(), brake: .some(nil), warnings: draft.warnings))
    }

    /// Read from the answer, so that a replayed one has it as well.
    private static func location(_ answer: Idempotency.Answer) throws -> String {
        struct Created: Decodable {
            let id: String
        }
        return "/v1/campaigns/" + (try JSONDecoder().decode(Created.self, from: Data(answer.body.utf8)).id)
    }

    private func importRecipients(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let campaign = try context.campaignID()
        let form = try UploadForm(request)
        let body = PacedBody(body: try request.plainBody(), pace: .upload)
        guard let place = uploads.place(for: account, own: limits[.uploads, account]) else {
            throw Problem.tooManyUploads
        }
        defer { withExtendedLifetime(place) {} }
        let ticket = try idempotency.ticket(request, context)
        let replay = try await idempotency.replay(ticket, request: Self.digest(try await body.sha256(), form))
        if let replay { return replay.response() }
        let result = try await campaigns.importRecipients(account, campaign, format: form, source: body) {
            connection, result in
            try await ticket?.save(
                Idempotency.Answer(status: .ok, body: result.report.json),
                request: Self.digest(result.digest, form), on: connection)
        }
        return Idempotency.Answer(status: .ok, body: result.report.json).response()
    }

    /// The same octets read in another way are another upload.
    private static func digest(_ body: [UInt8], _ form: UploadForm) -> [UInt8] {
        Idempotency.digest(body + Array(form.identity.utf8))
    }

    private func quote(_ request: Request, _ context: APIContext) async throws -> Response {
        let quote = try await campaigns.quote(context.authenticated(), context.campaignID())
        return Idempotency.Answer(status: .ok, body: quote.json).response()
    }

    private func delete(_ request: Request, _ context: APIContext) async throws -> Response {
        _ = try await campaigns.deleteDraft(context.authenticated(), context.campaignID())
        return Response(status: .noContent)
    }

    // MARK: Sending and steering

    private func send(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let campaign = try context.campaignID()
        let body = try await request.wholeBody(limit: APILimits.smallBodyBytes, context)
        let digest = Idempotency.digest(body)
        let ticket = try idempotency.ticket(request, context)
        return try await idempotency.answer(ticket, request: digest) {
            let payload = body.isEmpty ? nil : try StrictDecoding.decode(SendPayload.self, from: body)
            let status = try await campaigns.send(
                account, campaign, scheduledAt: payload?.scheduledSeconds(now: Date()),
                missingVariables: MissingVariablePolicy(named: payload?.missingVariables)
            ) { connection, status in
                try await ticket?.save(
                    Idempotency.Answer(status: .accepted, body: status.json), request: digest, on: connection)
            }
            return Idempotency.Answer(status: .accepted, body: status.json)
        }.response()
    }

    /// Pause, resume and cancel: no body, the campaign's new state as the answer.
    private func act(
        _ request: Request, _ context: APIContext,
        _ action: (AccountID, CampaignID, CampaignService.CommitHook<CampaignStatus>?) async throws -> CampaignStatus
    ) async throws -> Response {
        let account = try context.authenticated()
        let campaign = try context.campaignID()
        try steering.take(account)
        let digest = Idempotency.digest(try await request.wholeBody(limit: APILimits.smallBodyBytes, context))
        let ticket = try idempotency.ticket(request, context)
        return try await idempotency.answer(ticket, request: digest) {
            let status = try await action(account, campaign) { connection, status in
                try await ticket?.save(
                    Idempotency.Answer(status: .ok, body: status.json), request: digest, on: connection)
            }
            return Idempotency.Answer(status: .ok, body: status.json)
        }.response()
    }

    // MARK: Looking

    private func get(_ request: Request, _ context: APIContext) async throws -> Response {
        let status = try await campaigns.get(context.authenticated(), context.campaignID())
        return Idempotency.Answer(status: .ok, body: status.json).response()
    }

    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        let page = try PageRequest(request)
        let found = try await campaigns.list(
            context.authenticated(), before: page.cursor { CampaignID($0) }, limit: page.limit)
        return PageRequest.response(
            found.map { $0.json(credits: nil) }, next: found.count == page.limit ? found.last?.id.description : nil)
    }

    private func recipients(_ request: Request, _ context: APIContext) async throws -> Response {
        guard let place = listings.place(for: try context.authenticated()) else { throw Problem.tooManyRequests }
        defer { withExtendedLifetime(place) {} }
        let page = try PageRequest(request)
        let outcome = try request.uri.queryParameters.get("outcome").map { name in
            guard let filter = RecipientFate(name: name) else {
                throw Problem.invalid("invalid_field", "There is no such outcome.", fields: ["outcome"])
            }
            return filter
        }
        let inDoubtOnly = try request.uri.queryParameters.get("in_doubt").map { text in
            guard let flag = Bool(text) else {
                throw Problem.invalid("invalid_field", "in_doubt is true or false.", fields: ["in_doubt"])
            }
            return flag
        }
        let found = try await campaigns.recipients(
            context.authenticated(), context.campaignID(), fate: outcome, inDoubtOnly: inDoubtOnly ?? false,
            after: page.cursor { RecipientCursor($0) }, limit: page.limit)
        return PageRequest.response(found.recipients.map(\.json), next: found.next?.description)
    }

    private func certificate(_ request: Request, _ context: APIContext) async throws -> Response {
        let certificate = try await campaigns.certificate(context.authenticated(), context.campaignID())
        guard let certificate else {
            throw Problem(.notFound, "not_purged_yet", "The campaign's data has not been destroyed yet.")
        }
        return Idempotency.Answer(status: .ok, body: certificate.json).response()
    }
}
