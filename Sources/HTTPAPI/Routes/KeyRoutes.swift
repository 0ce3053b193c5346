import HTTPTypes
import Hummingbird
import Identity
import MailTypes
import Postgres

/// `/v1/keys`: who may ask in an account's name, and for what.
///
/// Live callers look after the test keys of their account as well; a test key knows of no others than test keys.
struct KeyRoutes: Sendable {
    let keys: APIKeys
    let sessions: Sessions
    let idempotency: Idempotency

    func add(to routes: OperationRoutes) {
        routes.on(.listKeys, use: list)
        routes.on(.createKey, use: create)
        routes.on(.getKey, use: get)
        routes.on(.revokeKey, use: revoke)
    }

    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        let page = try PageRequest(request)
        let cursor = try page.cursor { APIKeyID($0) }
        let account = try context.authenticated()
        let isTest = try request.uri.queryParameters.get("test").map { text in
            guard let value = Bool(String(text)) else {
                throw Problem.invalid("invalid_field", "test is true or false.", fields: ["test"])
            }
            return value
        }
        let found = try await acting(for: isTest == true ? account.test : account) {
            try await keys.list(account: $0, before: cursor, limit: page.limit)
        }
        return PageRequest.response(
            found.map { $0.json() }, next: found.count == page.limit ? found.last?.id.description : nil)
    }

    private func get(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let id = try id(context)
        let found: APIKeyRecord
        do {
            found = try await keys.get(id, account: account)
        } catch IdentityError.keyNotFound where !account.isTest {
            found = try await acting(for: account.test) { try await keys.get(id, account: $0) }
        }
        return Idempotency.Answer(status: .ok, body: found.json()).response()
    }

    /// Stored answers are not sealed, so the one that is kept for a repetition has no key in it: whoever lost the first
    /// answer revokes that key and asks for another.
    private func create(_ request: Request, _ context: APIContext) async throws -> Response {
        let caller = try context.authenticatedCaller()
        let account = try context.authenticated()
        let body = try await request.wholeBody(limit: APILimits.smallBodyBytes, context)
        let digest = Idempotency.digest(body)
        let ticket = try idempotency.ticket(request, context)
        return try await idempotency.answer(ticket, request: digest) {
            let payload = try StrictDecoding.decode(KeyPayload.self, from: body)
            let terms = try payload.terms()
            // What is live is not a test key's to give.
            guard payload.test != false || !account.isTest else { throw IdentityError.exceedsOwnTerms }
            let made = try await keys.create(
                account: payload.test == true ? account.test : account, name: payload.name, terms: terms,
                requestsPerMinute: caller.key?.requestsPerMinute,
                creator: caller.key
            ) { connection, record in
                // A session that is ended while it asks would otherwise leave a key behind.
                if case .person(let user) = caller { try await sessions.hold(user, on: connection) }
                try await ticket?.save(Self.created(record, nil), request: digest, on: connection)
            }
            return Self.created(made.record, made.key)
        }.response()
    }

    private static func created(_ record: APIKeyRecord, _ key: APIKey?) -> Idempotency.Answer {
        Idempotency.Answer(status: .created, body: record.json(key: .some(key)))
    }

    private func revoke(_ request: Request, _ context: APIContext) async throws -> Response {
        let account = try context.authenticated()
        let id = try id(context)
        var isRevoked = try await keys.revoke(id, account: account)
        if !isRevoked, !account.isTest {
            isRevoked = try await acting(for: account.test) { try await keys.revoke(id, account: $0) }
        }
        guard isRevoked else { throw IdentityError.keyNotFound }
        return Response(status: .noContent)
    }

    /// For the caller's account or its test account, whose rows the database then shows.
    private func acting<Value>(
        for account: AccountID, _ body: (AccountID) async throws -> Value
    ) async throws -> Value {
        let owner = ConnectionOwner.account(account.rawValue, connections: ConnectionOwner.current?.connections)
        return try await ConnectionOwner.$current.withValue(owner) { try await body(account) }
    }

    private func id(_ context: APIContext) throws -> APIKeyID {
        guard let id = APIKeyID(try context.pathParameter("id")) else { throw IdentityError.keyNotFound }
        return id
    }
}
