import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTesting
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import HTTPAPI

/// Which thread requests are worked on.
@Suite struct ThreadTests {
    private static let key: HTTPFields = [.authorization: "Bearer x"]

    /// Says whether it runs on an event loop.
    @Sendable private static func probe(_ request: Request, _ context: APIContext) async throws -> Response {
        // Whoever comes back from elsewhere comes back to the same place.
        await Task.yield()
        return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: place)))
    }

    private static var place: String {
        MultiThreadedEventLoopGroup.currentEventLoop == nil ? "elsewhere" : "on the loop"
    }

    private func withServer<Value: Sendable>(
        _ body: @Sendable @escaping (any TestClientProtocol) async throws -> Value
    ) async throws -> Value {
        let router = Hummingbird.Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ThreadMiddleware())
        for path: RouterPath in ["/v1/credits", "/v1/campaigns/{id}", "/v1/campaigns", "/health"] {
            router.get(path, use: Self.probe)
            router.delete(path, use: Self.probe)
        }
        router.get("/v1/suppressions/export") { _, _ in
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    try await writer.write(ByteBuffer(string: Self.place))
                    await Task.yield()
                    try await writer.write(ByteBuffer(string: ", " + Self.place))
                    try await writer.finish(nil)
                })
        }
        let server = HTTPServerBuilder { EventLoopChannel(base: HTTP1Channel(responder: $0)) }
        return try await Application(router: router, server: server, logger: .silent).test(.live) { client in
            try await body(client)
        }
    }

    @Test func `small reads with a key are answered on the thread of their connection, and nothing else is`()
        async throws
    {
        try await withServer { client in
            let requests: [(HTTPRequest.Method, String, HTTPFields, String)] = [
                (.get, "/v1/credits", Self.key, "on the loop"), (.get, "/v1/campaigns/7?x=1", Self.key, "on the loop"),
                // A session's token has a signature, which takes as long as some requests.
                (.get, "/v1/credits", [.cookie: "__Host-sluice-token=x"], "elsewhere"),
                (.get, "/v1/credits", [:], "elsewhere"), (.delete, "/v1/campaigns/7", Self.key, "elsewhere"),
                (.get, "/v1/campaigns", Self.key, "elsewhere"), (.get, "/health", Self.key, "elsewhere"),
            ]
            for (method, uri, headers, expected) in requests {
                let answer = try await client.execute(uri: uri, method: method, headers: headers) { $0 }
                #expect(String(buffer: answer.body) == expected, "\(method) \(uri)")
            }
        }
    }

    @Test func `a body that is made while it is sent is made elsewhere`() async throws {
        try await withServer { client in
            let answer = try await client.execute(uri: "/v1/suppressions/export", method: .get, headers: Self.key) {
                $0
            }
            #expect(String(buffer: answer.body) == "elsewhere, elsewhere")
        }
    }
}
