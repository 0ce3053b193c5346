import HTTPAPI
import HTTPTypes
import Hummingbird
import HummingbirdTesting

/// A client of the API, with or without a key.
struct API: Sendable {
    let client: any TestClientProtocol
    var key: String?

    func call(
        _ method: HTTPRequest.Method, _ path: String, body: String? = nil, type: String = "application/json",
        idempotencyKey: String? = nil, headers more: [String: String] = [:]
    ) async throws -> Answer {
        try await call(
            method, path, bytes: body.map { Array($0.utf8) }, type: type, idempotencyKey: idempotencyKey, headers: more)
    }

    func call(
        _ method: HTTPRequest.Method, _ path: String, bytes: [UInt8]?, type: String = "application/json",
        idempotencyKey: String? = nil, headers more: [String: String] = [:]
    ) async throws -> Answer {
        var headers: HTTPFields = [:]
        if let key { headers[.authorization] = "Bearer \(key)" }
        if bytes != nil { headers[.contentType] = type }
        if let idempotencyKey { headers[HTTPField.Name("Idempotency-Key")!] = idempotencyKey }
        for (name, value) in more { headers[HTTPField.Name(name)!] = value }
        let response = try await client.executeRequest(
            uri: path, method: method, headers: headers, body: bytes.map { ByteBuffer(bytes: $0) })
        return Answer(
            status: response.status.code, headers: response.headers, text: String(buffer: response.body))
    }

    func get(_ path: String) async throws -> Answer { try await call(.get, path) }

    func post(_ path: String, _ body: String? = nil, idempotencyKey: String? = nil) async throws -> Answer {
        try await call(.post, path, body: body, idempotencyKey: idempotencyKey)
    }

    func delete(_ path: String) async throws -> Answer { try await call(.delete, path) }

    func upload(_ campaign: String, _ lines: String, type: String = "application/x-ndjson") async throws -> Answer {
        try await call(.post, "/v1/campaigns/\(campaign)/recipients", body: lines, type: type)
    }

    static let draft = #"{"from": "Shop <news@shop.example>", "subject": "Hello {{name|friend}}", "text": "An offer."}"#

    /// A draft with `count` recipients.
    func draft(_ count: Int = 0) async throws -> String {
        let answer = try await post("/v1/campaigns", Self.draft)
        guard let id = answer.json["id"].string else { throw Unexpected(answer: answer) }
        if count > 0 {
            let upload = try await upload(id, Self.lines(count))
            guard upload.status == 200 else { throw Unexpected(answer: upload) }
        }
        return id
    }

    func sent(_ count: Int) async throws -> String {
        let id = try await draft(count)
        let answer = try await post("/v1/campaigns/\(id)/send")
        guard answer.status == 202 else { throw Unexpected(answer: answer) }
        return id
    }

    static func lines(_ count: Int, from start: Int = 0) -> String {
        (start..<start + count).map { #"{"email": "person\#($0)@example.org", "name": "N"}"# + "\n" }.joined()
    }
}

extension APIOperation {
    /// The path with identifiers of the right form that nothing has.
    var samplePath: String {
        let id =
            switch true {
            case path.hasPrefix("/v1/campaigns"): "cmp_0000000000000"
            case path.hasPrefix("/v1/webhooks"): "whk_0000000000000"
            case path.hasPrefix("/v1/members"): "usr_9000000000000000000"
            case path.hasPrefix("/v1/sessions"), path.hasPrefix("/v1/me/sessions"): "ses_9000000000000000000"
            case path.hasPrefix("/v1/invitations"): "inv_9000000000000000000"
            default: "key_9000000000000000000"
            }
        return [
            "{id}": id, "{address}": "a@example.org", "{domain}": "nobody.example", "{selector}": "s1",
            "{provider}": "generic", "{secret}": "none", "{token}": "none",
        ].reduce(path) { $0.replacing($1.key, with: $1.value) }
    }
}

struct Unexpected: Error {
    let answer: Answer
}
