import Feedback
import Foundation
import HTTPTypes
import Hummingbird
import MailTypes

/// `/v1/suppressions`: the addresses that are not mailed.
struct SuppressionRoutes: Sendable {
    let suppressions: SuppressionList
    let idempotency: Idempotency

    func add(to group: RouterGroup<APIContext>) {
        group.get("suppressions", use: list)
        group.post("suppressions", use: add)
        group.delete("suppressions/:address", use: remove)
    }

    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        if let text = request.uri.queryParameters.get("address") {
            let found = try await suppressions.find(try address(text), account: account)
            return PageRequest.response(found.map { [$0.json] } ?? [], next: nil)
        }
        let page = try PageRequest(request)
        let found = try await suppressions.list(
            account, after: try page.cursor { SuppressionCursor($0) }, limit: page.limit)
        return PageRequest.response(
            found.map(\.json), next: found.count == page.limit ? found.last?.cursor.description : nil)
    }

    private func add(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let body = try await request.wholeBody(limit: APILimits.suppressionBodyBytes, context)
        let digest = Idempotency.digest(body)
        let ticket = try idempotency.ticket(request, context)
        return try await idempotency.answer(ticket, request: digest) {
            let payload = try StrictDecoding.decode(SuppressionPayload.self, from: body)
            let addresses = try payload.parsedAddresses()
            let added = try await suppressions.add(
                addresses.good, account: account, reason: payload.parsedReason(), origin: .customer, note: payload.note
            ) { connection, added in
                try await ticket?.save(Self.answer(added, addresses), request: digest, on: connection)
            }
            return Self.answer(added, addresses)
        }.response()
    }

    /// Each address not taken is named: one that is not on the list is mailed.
    private static func answer(
        _ added: Int, _ addresses: SuppressionPayload.ParsedAddresses
    ) -> Idempotency.Answer {
        var json = JSONText()
        json.beginObject()
        json.member("added", Int64(added))
        json.member("already_listed", Int64(addresses.good.count - added))
        json.member("invalid", Int64(addresses.bad.count))
        json.key("errors")
        json.beginArray()
        for (index, error) in addresses.bad.prefix(APILimits.reportedAddresses) {
            json.beginObject()
            json.member("index", Int64(index))
            json.member("code", error.code)
            json.member("reason", error.description)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return Idempotency.Answer(status: .ok, body: json.text)
    }

    private func remove(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let address = try address(context.pathParameter("address"))
        guard try await suppressions.remove(address, account: account) else { throw Problem.notFound }
        return Response(status: .noContent)
    }

    private func address(_ text: String) throws -> EmailAddress {
        do throws(AddressError) {
            return try EmailAddress(text)
        } catch {
            throw Problem(error, field: "address")
        }
    }
}
