import Campaigns
import CreditLedger
import Feedback
import Foundation
import HTTPTypes
import Hummingbird
import MailSigning
import MailTypes
import NIOCore
import Postgres

/// `/v1/credits`, `/v1/suppressions`, `/v1/domains`: what an account has besides campaigns.
struct AccountRoutes: Sendable {
    let records: PostgresPool
    let ledger: CreditLedger
    let suppressions: SuppressionList
    let domains: SendingDomains

    func add(to group: RouterGroup<APIContext>) {
        group.get("credits", use: credits)
        group.get("credits/entries", use: entries)
        group.get("suppressions", use: listSuppressions)
        group.post("suppressions", use: addSuppressions)
        group.delete("suppressions/:address", use: removeSuppression)
        group.get("domains", use: listDomains)
        group.post("domains", use: addDomain)
        group.get("domains/:domain", use: getDomain)
        group.delete("domains/:domain", use: removeDomain)
    }

    // MARK: Credits

    private func credits(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let balance = try await records.withConnection { try await ledger.balance(account, on: $0) }
        return Idempotency.Answer(status: .ok, body: balance.json).response()
    }

    private func entries(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let page = try PageRequest(request)
        let before = try page.after.map { text in
            guard let number = Int64(text) else { throw Problem.badCursor }
            return number
        }
        let entries = try await records.withConnection {
            try await ledger.entries(account, before: before, limit: page.limit, on: $0)
        }
        return PageRequest.response(
            entries.map(\.json), next: entries.count == page.limit ? entries.last.map { String($0.number) } : nil)
    }

    // MARK: Suppressions

    private func listSuppressions(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        if let text = request.uri.queryParameters.get("address") {
            let found = try await suppressions.find(try address(text), account: account)
            return PageRequest.response(found.map { [$0.json] } ?? [], next: nil)
        }
        let page = try PageRequest(request)
        let cursor = try page.after.map { text in
            guard let cursor = SuppressionCursor(text) else { throw Problem.badCursor }
            return cursor
        }
        let found = try await suppressions.list(account, after: cursor, limit: page.limit)
        return PageRequest.response(
            found.map(\.json), next: found.count == page.limit ? found.last?.cursor.description : nil)
    }

    private func addSuppressions(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let body = try await request.wholeBody(limit: APILimits.smallBodyBytes * 4)
        let payload = try StrictDecoding.decode(SuppressionPayload.self, from: body)
        guard let reason = SuppressionReason(rawValue: payload.reason ?? SuppressionReason.manual.rawValue) else {
            throw Problem.invalid("invalid_field", "There is no such reason.", fields: ["reason"])
        }
        if let note = payload.note, note.utf8.count > 500 || note.unicodeScalars.contains(where: { $0.value < 32 }) {
            throw Problem.invalid(
                "invalid_field", "A note has at most 500 bytes and no control characters.", fields: ["note"])
        }
        let added = try await suppressions.add(
            payload.parsedAddresses(), account: account, reason: reason, origin: .customer, note: payload.note)
        var json = JSONText()
        json.beginObject()
        json.member("added", Int64(added))
        json.member("already_listed", Int64(payload.addresses.count - added))
        json.endObject()
        return Idempotency.Answer(status: .ok, body: json.text).response()
    }

    private func removeSuppression(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        guard let text = context.parameters.get("address")?.removingPercentEncoding else { throw Problem.notFound }
        guard try await suppressions.remove(try address(text), account: account) else { throw Problem.notFound }
        return Response(status: .noContent)
    }

    private func address(_ text: String) throws -> EmailAddress {
        do throws(AddressError) {
            return try EmailAddress(text)
        } catch {
            throw Problem.invalid(error.code, "\(error).", fields: ["address"])
        }
    }

    // MARK: Domains

    private func listDomains(_ request: Request, _ context: APIContext) async throws -> Response {
        let found = try await domains.list(context.authenticated())
        return PageRequest.response(found.map(\.json), next: nil)
    }

    private func addDomain(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let body = try await request.wholeBody(limit: APILimits.smallBodyBytes)
        let payload = try StrictDecoding.decode(DomainPayload.self, from: body)
        let domain = try domainName(payload.domain)
        let added = try await domains.add(
            account, domain, selector: payload.selector,
            algorithms: payload.ed25519 == true ? [.rsaSHA256, .ed25519SHA256] : [.rsaSHA256])
        return Idempotency.Answer(status: .created, body: added.json).response()
    }

    private func getDomain(_ request: Request, _ context: APIContext) async throws -> Response {
        let found = try await domains.get(context.authenticated(), try domain(context))
        return Idempotency.Answer(status: .ok, body: found.json).response()
    }

    private func removeDomain(_ request: Request, _ context: APIContext) async throws -> Response {
        try await domains.remove(context.authenticated(), try domain(context))
        return Response(status: .noContent)
    }

    private func domain(_ context: APIContext) throws -> DomainName {
        guard let text = context.parameters.get("domain") else { throw Problem.notFound }
        return try domainName(text)
    }

    private func domainName(_ text: String) throws -> DomainName {
        do throws(AddressError) {
            return try DomainName(text)
        } catch {
            throw Problem.invalid(error.code, "\(error).", fields: ["domain"])
        }
    }
}
