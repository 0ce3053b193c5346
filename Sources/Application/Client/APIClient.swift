import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import NIOPosix

/// The HTTP API from the customer's side: what `send`, `demo` and `bench` drive.
struct APIClient: Sendable {
    let base: String
    let key: String

    /// Never shut down: it lives as long as the process. One attempt to connect, and a short one, so that a command says
    /// soon that nobody answers.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout = .init(connect: .seconds(4))
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    init(base: String, key: String) {
        self.base = base
        self.key = key
    }

    /// - Parameter address: of the server, as people give it; a slash at its end is dropped.
    /// - Throws: `CommandFailure` in words.
    init(address: String, key: String) throws {
        var base = address.trimmingCharacters(in: .whitespaces)
        while base.hasSuffix("/") { base.removeLast() }
        guard let url = URLComponents(string: base), url.scheme == "http" || url.scheme == "https",
            let host = url.host, !host.isEmpty, url.query == nil, url.fragment == nil
        else {
            throw CommandFailure(
                "\(address) is not the address of a server: it begins with http:// or https://, such as http://127.0.0.1:8025"
            )
        }
        self.init(base: base, key: key)
    }

    /// A campaign's state as the API tells it.
    struct Campaign: Decodable, Sendable {
        let id: String
        let state: String
        let counters: Counters
        let credits: Credits
        let resultsUntil, purgedAt: String?
        /// What paused it, where nobody asked for that.
        let pauseReason: String?

        struct Counters: Decodable, Sendable, Equatable {
            let recipients, pending, deferred, delivered, bounced, expired, suppressed, invalid, cancelled: Int
            let inDoubt, inDoubtResent: Int

            var final: Int { delivered + bounced + expired + suppressed + invalid + cancelled + inDoubt }
        }

        struct Credits: Decodable, Sendable {
            let held, charged, released: Int64
        }

        var isOver: Bool { state == "completed" || (state == "cancelled" && (purgedAt ?? resultsUntil) != nil) }
    }

    struct ImportReport: Decodable, Sendable {
        let accepted, duplicates, suppressed, invalid: Int
        let errors: [LineError]
    }

    struct LineError: Decodable, Sendable {
        let line: Int
        let code: String
        let reason: String
    }

    struct Balance: Decodable, Sendable {
        let posted, held, limit, available: Int64
    }

    struct Quote: Decodable, Sendable {
        let recipients, deliverable, suppressed: Int
        let credits, available: Int64
        let warnings: [Warning]

        struct Warning: Decodable, Sendable {
            let detail: String
        }
    }

    /// Finds out within five seconds whether a server answers at all.
    ///
    /// - Throws: ``APIFailure`` `unreachable`
    func requireServer() async throws {
        _ = try await call(.GET, "/health", timeout: .seconds(5))
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
                .POST, path, body: .stream(chunks, length: .unknown), contentType: contentType, idempotencyKey: key,
                isRepeatable: false))
    }

    /// The answer's text, for commands that print it as it is.
    func text(_ method: HTTPMethod, _ path: String, json: String = "") async throws -> String {
        let body = json.isEmpty ? nil : HTTPClientRequest.Body.bytes(ByteBuffer(string: json))
        return String(buffer: try await call(method, path, body: body, contentType: "application/json"))
    }

    /// Waits and asks again where the key has had its requests of this minute, unless the body cannot be read twice.
    private func call(
        _ method: HTTPMethod, _ path: String, body: HTTPClientRequest.Body? = nil, contentType: String? = nil,
        idempotencyKey: String? = nil, isRepeatable: Bool = true, timeout: TimeAmount = .hours(1)
    ) async throws -> ByteBuffer {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        request.headers.add(name: "authorization", value: "Bearer " + key)
        if let contentType { request.headers.add(name: "content-type", value: contentType) }
        if let idempotencyKey { request.headers.add(name: "idempotency-key", value: idempotencyKey) }
        request.body = body
        var status: UInt
        var answer: ByteBuffer
        do {
            repeat {
                let response = try await Self.http.execute(request, timeout: timeout)
                status = response.status.code
                answer = try await response.body.collect(upTo: 64 * 1024 * 1024)
                guard status == 429, APIFailure(status, answer).code == "rate_limited", isRepeatable,
                    let seconds = response.headers.first(name: "retry-after").flatMap({ Int($0) })
                else { break }
                try await Task.sleep(for: .seconds(min(seconds, 60)))
            } while true
        } catch let error as CommandFailure {
            // The file of an upload could not be read.
            throw error
        } catch {
            throw APIFailure(unreachable: base, error)
        }
        guard (200..<300).contains(status) else { throw APIFailure(status, answer) }
        return answer
    }

    private func decode<Answer: Decodable>(_ buffer: ByteBuffer) throws -> Answer {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(Answer.self, from: Data(buffer: buffer))
        } catch {
            throw APIFailure(
                status: 0, code: "not_sluice",
                detail: "what answers at \(base) is not Sluice, or not this version of it",
                json: "")
        }
    }
}

/// A refusal by the API, or none at all.
struct APIFailure: Error, CustomStringConvertible {
    /// 0 where no answer came.
    let status: UInt
    let code: String
    let detail: String
    /// The whole problem document.
    let json: String
    /// What was wrong line by line, where a list was refused.
    var lines: [APIClient.LineError] = []

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
            let errors: [APIClient.LineError]?
        }
        let document = try? JSONDecoder().decode(Document.self, from: Data(buffer: buffer))
        let fields = document?.fields.map { " (\($0.joined(separator: ", ")))" } ?? ""
        self.init(
            status: status, code: document?.code ?? "unknown",
            detail: (document?.detail ?? "the server answered \(status)") + fields, json: String(buffer: buffer))
        lines = document?.errors ?? []
    }

    init(unreachable base: String, _ error: any Error) {
        self.init(status: 0, code: "unreachable", detail: Self.words(error, base), json: "")
    }

    /// Whether no answer came, so that nobody knows what the server made of the request.
    var isUnreachable: Bool { code == "unreachable" }

    var description: String { isUnreachable ? detail : "\(detail) [\(code)]" }

    private static func words(_ error: any Error, _ base: String) -> String {
        switch error {
        case let error as NIOConnectionError:
            guard error.dnsAError == nil || error.dnsAAAAError == nil || !error.connectionErrors.isEmpty else {
                return "no server answers at \(base): the name of its host is not known"
            }
            return "no server answers at \(base)" + (error.connectionErrors.first.map { reason($0.error) } ?? "")
        case let error as HTTPClientError where error == .connectTimeout:
            return "no server answers at \(base): its host does not take the connection"
        case let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout:
            return "no server answers at \(base) in time"
        case is IOError:
            return "no server answers at \(base)" + reason(error)
        default:
            return "no server answers at \(base): the connection broke off, or what listens there does not speak "
                + (base.hasPrefix("https:") ? "HTTP over TLS with a certificate that is trusted here" : "HTTP")
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch (error as? IOError)?.errnoCode {
        case ECONNREFUSED: ": nothing listens there"
        case EHOSTUNREACH, ENETUNREACH: ": there is no way to its host"
        case ECONNRESET, EPIPE: ": it closed the connection"
        case ETIMEDOUT: ": its host does not take the connection"
        default: ""
        }
    }
}
