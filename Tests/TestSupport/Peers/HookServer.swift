import NIOConcurrencyHelpers
import NIOCore
package import NIOHTTP1
import NIOPosix

/// An HTTP server on loopback that takes webhooks, keeps them, and answers as it is told, when it is told.
package final class HookServer: Sendable {
    package struct Message: Sendable, Equatable {
        package var headers = HTTPHeaders()
        package var body: [UInt8] = []

        package func header(_ name: String) -> String? { headers.first(name: name) }
        package var text: String { String(decoding: body, as: UTF8.self) }
    }

    package struct Answer: Sendable {
        package var status: HTTPResponseStatus
        package var headers: HTTPHeaders
        package var body: String
        /// Sends the body again and again, until the client goes.
        package var isEndless: Bool

        package init(
            _ status: HTTPResponseStatus = .noContent, headers: HTTPHeaders = [:], body: String = "",
            isEndless: Bool = false
        ) {
            self.status = status
            self.headers = headers
            self.body = body
            self.isEndless = isEndless
        }
    }

    package let port: Int
    package var url: String { "http://127.0.0.1:\(port)/hook" }
    private let channel: any Channel
    private let box = NIOLockedValueBox<[Message]>([])

    /// All that came, in its order, whatever was answered.
    package var messages: [Message] { box.withLockedValue { $0 } }

    package init(_ answer: @escaping @Sendable (Message) async -> Answer = { _ in Answer() }) async throws {
        let box = box
        channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(Handler(box, answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    package func close() async throws { try await channel.close() }

    fileprivate static func send(_ answer: Answer, to channel: any Channel) async {
        var headers = answer.headers
        if !answer.isEndless { headers.add(name: "Content-Length", value: "\(answer.body.utf8.count)") }
        let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        let body = ByteBuffer(string: answer.body)
        if answer.isEndless {
            // Until the client has gone.
            while (try? await channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(body)))) != nil {}
            return
        }
        if body.readableBytes > 0 {
            channel.write(HTTPServerResponsePart.body(.byteBuffer(body)), promise: nil)
        }
        try? await channel.writeAndFlush(HTTPServerResponsePart.end(nil))
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let box: NIOLockedValueBox<[Message]>
        private let answer: @Sendable (Message) async -> Answer
        private var message = Message()

        init(_ box: NIOLockedValueBox<[Message]>, _ answer: @escaping @Sendable (Message) async -> Answer) {
            self.box = box
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): message = Message(headers: head.headers)
            case .body(var bytes): message.body += bytes.readBytes(length: bytes.readableBytes) ?? []
            case .end:
                let (message, answer, channel) = (message, answer, context.channel)
                box.withLockedValue { $0.append(message) }
                Task {
                    let given = await answer(message)
                    await HookServer.send(given, to: channel)
                }
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
