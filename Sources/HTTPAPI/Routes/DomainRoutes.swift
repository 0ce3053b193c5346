import Campaigns
import Foundation
import HTTPTypes
import Hummingbird
import MailMessage
import MailTypes
import SendingDomains

/// `/v1/domains`: where an account's mail may come from.
struct DomainRoutes: Sendable {
    let domains: SendingDomains
    let verifier: DomainVerifier
    let campaigns: CampaignService
    let idempotency: Idempotency

    func add(to routes: OperationRoutes) {
        routes.on(.listDomains, use: list)
        routes.on(.addDomain, use: add)
        routes.on(.getDomain, use: get)
        routes.on(.removeDomain, use: remove)
        routes.on(.listDomainReports, use: reports)
        routes.on(.verifyDomain, use: verify)
        routes.on(.addDomainKey, use: addKey)
        routes.on(.removeDomainKey, use: removeKey)
    }

    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        let found = try await domains.list(context.authenticated())
        return PageRequest.response(found.map(\.json), next: nil)
    }

    private func add(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let body = try await request.wholeBody(limit: APILimits.smallBodyBytes, context)
        let digest = Idempotency.digest(body)
        let ticket = try idempotency.ticket(request, context)
        return try await idempotency.answer(ticket, request: digest) {
            let payload = try StrictDecoding.decode(DomainPayload.self, from: body)
            let added = try await domains.add(
                account, domainName(payload.domain), selector: payload.selector, algorithms: payload.algorithms,
                imported: payload.key()
            ) { connection, added in
                try await ticket?.save(Self.created(added), request: digest, on: connection)
            }
            return Self.created(added)
        }.response()
    }

    private static func created(_ domain: SendingDomain) -> Idempotency.Answer {
        Idempotency.Answer(status: .created, body: domain.json)
    }

    private func get(_ request: Request, _ context: APIContext) async throws -> Response {
        let found = try await domains.get(context.authenticated(), try domain(context))
        return Idempotency.Answer(status: .ok, body: found.json).response()
    }

    private func reports(_ request: Request, _ context: APIContext) async throws -> Response {
        let page = try PageRequest(request)
        let kind = try request.uri.queryParameters.get("kind").map { name in
            guard let kind = AggregateReport.Kind(rawValue: name) else {
                throw Problem.invalid("invalid_field", "kind is dmarc or tls.", fields: ["kind"])
            }
            return kind
        }
        let limit = min(page.limit, DomainReportLimits.pageSize)
        let found = try await domains.reports(
            context.authenticated(), try domain(context), kind, before: page.cursor { Int64($0) }, limit: limit)
        return PageRequest.response(
            found.map(\.json), next: found.count == limit ? found.last.map { "\($0.number)" } : nil)
    }

    private func remove(_ request: Request, _ context: APIContext) async throws -> Response {
        try await campaigns.removeDomain(context.authenticated(), try domain(context))
        return Response(status: .noContent)
    }

    /// Without an idempotency key: asking again is what it is for.
    private func verify(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        _ = try await request.wholeBody(limit: APILimits.smallBodyBytes, context)
        let found = try await verifier.verify(account, try domain(context))
        return Idempotency.Answer(status: .ok, body: found.json).response()
    }

    // MARK: Keys

    private func addKey(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let domain = try domain(context)
        let body = try await request.wholeBody(limit: APILimits.smallBodyBytes, context)
        let digest = Idempotency.digest(body)
        let ticket = try idempotency.ticket(request, context)
        return try await idempotency.answer(ticket, request: digest) {
            let payload = try StrictDecoding.decode(DomainKeyPayload.self, from: body.isEmpty ? Array("{}".utf8) : body)
            let changed = try await domains.addKey(
                account, domain, selector: payload.selector, algorithm: payload.chosenAlgorithm(),
                imported: payload.key()
            ) { connection, changed in
                try await ticket?.save(Self.created(changed), request: digest, on: connection)
            }
            return Self.created(changed)
        }.response()
    }

    private func removeKey(_ request: Request, _ context: APIContext) async throws -> Response {
        try await domains.removeKey(
            context.authenticated(), try domain(context), selector: context.pathParameter("selector"))
        return Response(status: .noContent)
    }

    private func domain(_ context: APIContext) throws -> DomainName {
        try domainName(context.pathParameter("domain"))
    }

    private func domainName(_ text: String) throws -> DomainName {
        do throws(AddressError) {
            return try DomainName(text)
        } catch {
            throw Problem(error, field: "domain")
        }
    }
}
