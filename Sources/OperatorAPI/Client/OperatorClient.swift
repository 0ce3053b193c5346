import AsyncHTTPClient
package import Delivery
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// The operator's listener from the other side.
package struct OperatorClient: Sendable {
    private let socket: String
    private let http = HTTPClient.shared

    package init(socket: String) { self.socket = socket }

    package func status() async throws -> EngineStatus { try await decode(.GET, "/status") }

    package func metrics() async throws -> String {
        String(buffer: try await body(of: try await execute(.GET, "/metrics")))
    }

    /// - Parameters:
    ///   - kind: `lanes`, `accounts` or `campaigns`
    ///   - query: names and values
    package func act(
        _ action: String, on kind: String, _ name: String, query: [(String, String)] = []
    ) async throws -> OperatorRoutes.Done {
        let words = query.map { "\($0.0)=\(Self.encoded($0.1))" }.joined(separator: "&")
        let path = "/\(kind)/\(Self.encoded(name))/\(action)" + (words.isEmpty ? "" : "?" + words)
        return try await decode(.POST, path)
    }

    /// Lines of a trace until the server or the caller ends it.
    ///
    /// - Parameter onStart: called when listening has begun.
    package func trace(
        _ site: String, onStart: () -> Void = {}, _ onLine: (TraceLine) throws -> Void
    ) async throws {
        let response = try await execute(.GET, "/trace?site=" + Self.encoded(site), timeout: .hours(24 * 365))
        var pending: [UInt8] = []
        for try await chunk in response.body {
            for byte in chunk.readableBytesView {
                guard byte == UInt8(ascii: "\n") else {
                    pending.append(byte)
                    continue
                }
                if pending == [UInt8(ascii: ":")] { onStart() }
                if pending.starts(with: "data: ".utf8) {
                    try onLine(JSONDecoder().decode(TraceLine.self, from: Data(pending.dropFirst(6))))
                }
                pending = []
            }
        }
    }

    // MARK: Calls

    private func decode<Answer: Decodable>(_ method: HTTPMethod, _ path: String) async throws -> Answer {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(
            Answer.self, from: Data(buffer: try await body(of: try await execute(method, path))))
    }

    private func execute(
        _ method: HTTPMethod, _ path: String, timeout: TimeAmount = .seconds(30)
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: "http+unix://\(Self.encoded(socket))\(path)")
        request.method = method
        let response: HTTPClientResponse
        do {
            response = try await http.execute(request, timeout: timeout)
        } catch let error as IOError where error.errnoCode == EACCES {
            throw OperatorFailure(
                description: "\(socket) belongs to another user: run this as the server's user or root")
        } catch is IOError {
            throw OperatorFailure(
                description: "no server listens on \(socket): is it running, and is --data the same as the server's?")
        }
        guard (200..<300).contains(response.status.code) else {
            struct Problem: Decodable {
                let error: Message
                struct Message: Decodable { let message: String }
            }
            let text = try await body(of: response)
            let problem = try? JSONDecoder().decode(Problem.self, from: Data(buffer: text))
            throw OperatorFailure(description: problem?.error.message ?? "the server answered \(response.status.code)")
        }
        return response
    }

    private func body(of response: HTTPClientResponse) async throws -> ByteBuffer {
        try await response.body.collect(upTo: 64 * 1_024 * 1_024)
    }

    private static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(
            withAllowedCharacters: .alphanumerics.intersection(.init(charactersIn: "\0"..."\u{7F}"))) ?? text
    }
}
