import NIOCore
import NIOHTTP1
import NIOPosix

/// A small HTTP server on loopback that takes what webhooks are sent: for `sluice webhook listen` and the benchmark.
final class WebhookReceiver: Sendable {
    struct Message: Sendable {
        var headers = HTTPHeaders()
        var body: [UInt8] = []
    }

    /// Octets of a body; what is longer is not read.
    private static let maximumOctets = 1 << 20

    let port: Int
    private let channel: any Channel

    /// - Parameters:
    ///   - port: 0 lets the system choose.
    ///   - take: returns the HTTP status of the answer.
    init(
        port: Int, group: any EventLoopGroup, take: @escaping @Sendable (Message) -> HTTPResponseStatus
    ) async throws {
        channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(Handler(take))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        self.port = channel.localAddress?.port ?? port
    }

    func close() async { try? await channel.close() }

    /// Returns when the server is closed.
    func untilClosed() async { try? await channel.closeFuture.get() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let take: @Sendable (Message) -> HTTPResponseStatus
        private var message = Message()
        private var isPost = false

        init(_ take: @escaping @Sendable (Message) -> HTTPResponseStatus) { self.take = take }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                message = Message(headers: head.headers)
                isPost = head.method == .POST
            case .body(var bytes):
                guard message.body.count + bytes.readableBytes <= WebhookReceiver.maximumOctets else {
                    return context.close(promise: nil)
                }
                message.body += bytes.readBytes(length: bytes.readableBytes) ?? []
            case .end:
                let status = isPost ? take(message) : .methodNotAllowed
                let head = HTTPResponseHead(version: .http1_1, status: status, headers: ["Content-Length": "0"])
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
