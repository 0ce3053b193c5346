import CreditLedger
import HTTPTypes
import Hummingbird
import MailTypes
import Postgres

/// `/v1/credits`: the balance and the books.
struct CreditRoutes: Sendable {
    let records: PostgresPool
    let ledger: CreditLedger

    func add(to routes: OperationRoutes) {
        routes.on(.getCredits, use: credits)
        routes.on(.listEntries, use: entries)
    }

    private func credits(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let balance = try await ledger.balance(account, over: records)
        return Idempotency.Answer(status: .ok, body: balance.json).response()
    }

    private func entries(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let page = try PageRequest(request)
        let before = try page.cursor { Int64($0) }
        let entries = try await records.withConnection {
            try await ledger.entries(account, before: before, limit: page.limit, on: $0)
        }
        return PageRequest.response(
            entries.map(\.json), next: entries.count == page.limit ? entries.last.map { String($0.number) } : nil)
    }
}
