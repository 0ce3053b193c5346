import Crypto
import HTTPTypes
import Hummingbird
import Identity
import MailTypes
import NIOCore
import Postgres

/// `Idempotency-Key`: the same key with the same request gives the stored answer, with another request a conflict.
///
/// The answer is stored in the transaction of the effect, so that a crash loses both or neither. Only answers of
/// success are stored: a request that was refused may be sent again under its key once the reason is gone.
struct Idempotency: Sendable {
    let store: IdempotencyStore
    let records: PostgresPool

    /// An answer that can be stored and sent again.
    struct Answer: Sendable {
        let status: HTTPResponse.Status
        let body: String
        /// Whether it was stored for an earlier request.
        var isReplayed = false

        func response() -> Response {
            var headers: HTTPFields = [.contentType: "application/json; charset=utf-8"]
            if isReplayed { headers[.idempotencyReplayed] = "true" }
            return Response(
                status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
        }
    }

    /// One request under a key.
    struct Ticket: Sendable {
        let account: AccountID
        let key: String
        let scope: String
        let store: IdempotencyStore

        /// Stores the answer for `request`, the digest of all that a repetition must have in common with it. Called
        /// inside the transaction of the effect.
        func save(_ answer: Answer, request digest: [UInt8], on connection: PostgresConnection) async throws {
            try await store.store(
                account: account, key: key, scope: scope, requestHash: digest, status: Int(answer.status.code),
                contentType: "application/json", body: Array(answer.body.utf8), on: connection)
        }
    }

    /// The ticket of a request, nil where it carries no key.
    func ticket(_ request: Request, _ context: APIContext) throws -> Ticket? {
        guard let key = request.headers[.idempotencyKey] else { return nil }
        guard (1...IdentityLimits.idempotencyKeyOctets).contains(key.utf8.count),
            key.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw IdempotencyError.invalidKey }
        return Ticket(
            account: try context.authenticated(), key: key, scope: try Self.scope(request, context), store: store)
    }

    /// Method and route with its parameters: how a client writes the path of one resource makes no difference.
    private static func scope(_ request: Request, _ context: APIContext) throws -> String {
        guard let route = context.endpointPath else { throw Problem.notFound }
        let path = try route.split(separator: "/").map { part in
            part.hasPrefix("{") ? try context.pathParameter(String(part.dropFirst().dropLast())) : String(part)
        }
        return "\(request.method) /\(path.joined(separator: "/"))"
    }

    /// The answer that was stored under the ticket, or else the effect's.
    ///
    /// Where the effect fails, the store is asked again: a repetition that came at the same time may have been faster
    /// and have left nothing to do, or a commit whose answer was lost may have happened.
    func answer(
        _ ticket: Ticket?, request digest: [UInt8], effect: () async throws -> Answer
    ) async throws -> Answer {
        if let stored = try await replay(ticket, request: digest) { return stored }
        do {
            return try await effect()
        } catch {
            if let stored = try? await replay(ticket, request: digest) { return stored }
            throw error
        }
    }

    /// The stored answer of an earlier request under the same key.
    ///
    /// - Parameter digest: asked for only where there is an answer, because it may cost the reading of a long upload.
    func replay(_ ticket: Ticket?, request digest: @autoclosure () async throws -> [UInt8]) async throws -> Answer? {
        guard let ticket else { return nil }
        let stored = try await records.withConnection { connection in
            try await store.find(account: ticket.account, key: ticket.key, scope: ticket.scope, on: connection)
        }
        guard let stored else { return nil }
        guard stored.requestHash == (try await digest()) else { throw IdempotencyError.differentRequest }
        return Answer(
            status: .init(code: stored.status), body: String(decoding: stored.body, as: UTF8.self), isReplayed: true)
    }

    /// SHA-256.
    static func digest(_ body: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: body)) }
}
