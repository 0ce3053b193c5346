import Campaigns
import Feedback
import Foundation
import HTTPTypes
import Hummingbird
import MailTypes
import NIOCore
import Postgres
import Vault

/// `/v1/suppressions`: the addresses that are not mailed.
struct SuppressionRoutes: Sendable {
    let suppressions: SuppressionList
    let idempotency: Idempotency
    private let places = OpenPlaces(perAccount: APILimits.listingsPerAccount)

    init(suppressions: SuppressionList, idempotency: Idempotency) {
        self.suppressions = suppressions
        self.idempotency = idempotency
    }

    func add(to routes: OperationRoutes) {
        routes.on(.listSuppressions, use: list)
        routes.on(.addSuppressions, use: add)
        routes.on(.importSuppressions, use: importList)
        routes.on(.exportSuppressions, use: export)
        routes.on(.removeSuppression, use: remove)
    }

    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        if let text = request.uri.queryParameters.get("address") {
            let address = try address(text)
            let own = try await suppressions.find(address, account: account)
            let ofAll = try await suppressions.findForAll(address)
            let found = [own?.json(scope: "account"), ofAll?.json(scope: "installation")]
            return PageRequest.response(found.compactMap(\.self), next: nil)
        }
        let page = try PageRequest(request)
        let found = try await suppressions.list(
            account, reason: try Self.reason(request), after: try page.cursor { SuppressionCursor($0) },
            limit: page.limit)
        return PageRequest.response(
            found.map { $0.json(scope: "account") },
            next: found.count == page.limit ? found.last?.cursor.description : nil)
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

    private static func reason(_ request: Request) throws -> SuppressionReason? {
        try request.uri.queryParameters.get("reason").map { text in
            guard let reason = SuppressionReason(rawValue: text) else {
                throw Problem.invalid("invalid_field", "There is no such reason.", fields: ["reason"])
            }
            return reason
        }
    }

    // MARK: Lists kept elsewhere

    /// All of the list, or with `on_invalid=skip` all that can be taken, in one transaction.
    private func importList(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let policy = try Self.policy(request)
        let reason = try Self.reason(request)
        let body = try await request.wholeBody(limit: APILimits.suppressionListBytes, context)
        // The same octets read in another way are another list.
        let digest = Idempotency.digest(body + Array("\(policy.rawValue) \(reason?.rawValue ?? "")".utf8))
        let ticket = try idempotency.ticket(request, context)
        return try await idempotency.answer(ticket, request: digest) {
            let file = try await Self.read(body, reason)
            guard policy == .skip || file.report.invalid == 0 else { throw InvalidLinesError(report: file.report) }
            let added = try await suppressions.add(file.entries, account: account, origin: .customer) {
                connection, added in
                try await ticket?.save(Self.answer(added, file), request: digest, on: connection)
            }
            return Self.answer(added, file)
        }.response()
    }

    @concurrent
    private static func read(_ body: [UInt8], _ reason: SuppressionReason?) async throws -> SuppressionFile {
        try SuppressionListReader.read(body, reason: reason)
    }

    private static func policy(_ request: Request) throws -> InvalidLinePolicy {
        guard let text = request.uri.queryParameters.get("on_invalid") else { return .reject }
        guard let policy = InvalidLinePolicy(rawValue: text) else {
            throw Problem.invalid("invalid_field", "on_invalid is reject or skip.", fields: ["on_invalid"])
        }
        return policy
    }

    private static func answer(_ added: Int, _ file: SuppressionFile) -> Idempotency.Answer {
        var json = JSONText()
        json.beginObject()
        json.member("added", Int64(added))
        json.member("already_listed", Int64(file.entries.count - added))
        json.member("invalid", Int64(file.report.invalid))
        json.member("errors", file.report.errors)
        json.member("form", file.form.rawValue)
        json.endObject()
        return Idempotency.Answer(status: .ok, body: json.text)
    }

    /// The whole list as CSV, which ``importList(_:_:)`` takes again.
    private func export(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let reason = try Self.reason(request)
        guard let place = places.place(for: account) else { throw Problem.tooManyRequests }
        let first = try await suppressions.list(account, reason: reason, limit: SuppressionLimits.pageRows)
        let body = ResponseBody { writer in
            try await writer.write(ByteBuffer(string: SuppressionExport.header))
            // Written after the request has passed the authentication, so the account's share is named again.
            try await ConnectionOwner.$current.withValue(.account(account.rawValue)) {
                try await write(first, of: account, reason, to: &writer)
            }
            withExtendedLifetime(place) {}
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/csv; charset=utf-8",
                .contentDisposition: #"attachment; filename="suppressions.csv""#,
            ], body: body)
    }

    @concurrent
    private func write(
        _ first: [Suppression], of account: AccountID, _ reason: SuppressionReason?,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        var page = first
        while let last = page.last {
            try await writer.write(ByteBuffer(string: page.map(SuppressionExport.row).joined()))
            guard page.count == SuppressionLimits.pageRows else { return }
            page = try await suppressions.list(
                account, reason: reason, after: last.cursor, limit: SuppressionLimits.pageRows)
        }
    }

    // MARK: Single addresses

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
