import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// The HTTP API from the customer's side: what `send`, `demo` and `bench` drive.
struct APIClient: Sendable {
    let base: String
    let key: String
    private let http = HTTPClient.shared

    /// A campaign's state as the API tells it.
    struct Campaign: Decodable, Sendable {
        let id: String
        let state: String
        let counters: Counters
        let credits: Credits
        let purgedAt: String?

        struct Counters: Decodable, Sendable, Equatable {
            let recipients, pending, deferred, delivered, bounced, expired, suppressed, invalid, cancelled: Int
            let inDoubt, inDoubtResent: Int

            var final: Int { delivered + bounced + expired + suppressed + invalid + cancelled + inDoubt }
        }

        struct Credits: Decodable, Sendable {
            let held, charged, released: Int64
        }

        var isOver: Bool { state == "completed" || (state == "cancelled" && purgedAt != nil) }
    }

    struct ImportReport: Decodable, Sendable {
        let accepted, duplicates, suppressed, invalid: Int
        let errors: [LineError]

        struct LineError: Decodable, Sendable {
            let line: Int
            let code: String
            let reason: String
        }
    }

    struct Balance: Decodable, Sendable {
        let posted, held, limit, available: Int64
    }

    struct Quote: Decodable, Sendable {
        let recipients, deliverable, suppressed: Int
        let credits, available: Int64
    }

    func get<Answer: Decodable>(_ path: String, as type: Answer.Type = Answer.self) async throws -> Answer {
        try decode(try await call(.GET, path))
    }

    func post<Answer: Decodable>(
        _ path: String, json: String = "", key: String? = nil, as type: Answer.Type = Answer.self
    ) async throws -> Answer {
        let body = json.isEmpty ? nil : HTTPClientRequest.Body.bytes(ByteBuffer(string: json))
        return try decode(
            try await call(.POST, path, body: body, contentType: "application/json", idempotencyKey: key))
    }

    /// Streams recipients; the server answers when all are stored.
    func upload<Chunks: AsyncSequence & Sendable>(
        _ path: String, chunks: Chunks, contentType: String, key: String? = nil
    ) async throws -> ImportReport where Chunks.Element == ByteBuffer {
        try decode(
            try await call(
                .POST, path, body: .stream(chunks, length: .unknown), contentType: contentType, idempotencyKey: key))
    }

    /// The answer's text, for commands that print it as it is.
    func text(_ method: HTTPMethod, _ path: String, json: String = "") async throws -> String {
        let body = json.isEmpty ? nil : HTTPClientRequest.Body.bytes(ByteBuffer(string: json))
        return String(buffer: try await call(method, path, body: body, contentType: "application/json"))
    }

    private func call(
        _ method: HTTPMethod, _ path: String, body: HTTPClientRequest.Body? = nil, contentType: String? = nil,
        idempotencyKey: String? = nil
    ) async throws -> ByteBuffer {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        request.headers.add(name: "authorization", value: "Bearer " + key)
        if let contentType { request.headers.add(name: "content-type", value: contentType) }
        if let idempotencyKey { request.headers.add(name: "idempotency-key", value: idempotencyKey) }
        request.body = body
        let response: HTTPClientResponse
        do {
            response = try await http.execute(request, timeout: .hours(1))
        } catch {
            throw APIFailure(status: 0, code: "unreachable", detail: "\(base) cannot be reached: \(error)", json: "")
        }
        let answer = try await response.body.collect(upTo: 64 * 1024 * 1024)
        guard (200..<300).contains(response.status.code) else { throw APIFailure(response.status.code, answer) }
        return answer
    }

    private func decode<Answer: Decodable>(_ buffer: ByteBuffer) throws -> Answer {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Answer.self, from: Data(buffer: buffer))
    }
}

/// A refusal by the API.
struct APIFailure: Error, CustomStringConvertible {
    let status: UInt
    let code: String
    let detail: String
    /// The whole problem document.
    let json: String

    init(status: UInt, code: String, detail: String, json: String) {
        self.status = status
        self.code = code
        self.detail = detail
        self.json = json
    }

    init(_ status: UInt, _ buffer: ByteBuffer) {
        struct Document: Decodable {
            let code: String
            let detail: String
            let fields: [String]?
        }
        let document = try? JSONDecoder().decode(Document.self, from: Data(buffer: buffer))
        let fields = document?.fields.map { " (\($0.joined(separator: ", ")))" } ?? ""
        self.init(
            status: status, code: document?.code ?? "unknown",
            detail: (document?.detail ?? "the server answered \(status)") + fields, json: String(buffer: buffer))
    }

    var description: String { "\(detail) [\(code)]" }
}
