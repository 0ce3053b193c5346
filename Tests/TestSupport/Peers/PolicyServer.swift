import NIOConcurrencyHelpers
import NIOCore
package import NIOHTTP1
import NIOPosix
package import NIOSSL

/// An HTTPS server on loopback that answers as it is told, rightly or wrongly.
package final class PolicyServer: Sendable {
    package struct Answer: Sendable {
        package var status = HTTPResponseStatus.ok
        package var headers: [(String, String)] = [("Content-Type", "text/plain")]
        package var body = ""
        /// For some hosts, by name, instead of `body`.
        package var bodies: [String: String] = [:]
        /// Sends half of the body and then nothing.
        package var stalls = false
        /// Closes after half of the body.
        package var breaks = false

        package init(
            status: HTTPResponseStatus = .ok, headers: [(String, String)] = [("Content-Type", "text/plain")],
            body: String = "", bodies: [String: String] = [:], stalls: Bool = false, breaks: Bool = false
        ) {
            self.bodies = bodies
            self.status = status
            self.headers = headers
            self.body = body
            self.stalls = stalls
            self.breaks = breaks
        }
    }

    package let port: Int
    private let channel: any Channel
    private let requestBox = NIOLockedValueBox<[String]>([])
    private let uploadBox = NIOLockedValueBox<[Upload]>([])

    /// What a POST brought.
    package struct Upload: Sendable, Equatable {
        package var type = ""
        package var body: [UInt8] = []

        package init(type: String = "", body: [UInt8] = []) {
            self.type = type
            self.body = body
        }
    }

    package var uploads: [Upload] { uploadBox.withLockedValue { $0 } }

    /// Host and path of each request.
    package var requests: [String] { requestBox.withLockedValue { $0 } }

    /// - Parameter identity: nil for a server without TLS.
    package init(_ identity: NIOSSLContext?, _ answer: Answer) async throws {
        let (requests, uploads) = (requestBox, uploadBox)
        channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let identity { try pipeline.addHandler(NIOSSLServerHandler(context: identity)) }
                    try pipeline.configureHTTPServerPipeline(withErrorHandling: false)
                    try pipeline.addHandler(AnswerHandler(answer, requests, uploads))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    package func close() async throws { try await channel.close() }
}

private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: PolicyServer.Answer
    private let requests: NIOLockedValueBox<[String]>
    private let uploads: NIOLockedValueBox<[PolicyServer.Upload]>
    private var upload: PolicyServer.Upload?
    private var body = ""

    init(
        _ answer: PolicyServer.Answer, _ requests: NIOLockedValueBox<[String]>,
        _ uploads: NIOLockedValueBox<[PolicyServer.Upload]>
    ) {
        self.uploads = uploads
        self.answer = answer
        self.requests = requests
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            let host = head.headers.first(name: "Host") ?? "?"
            requests.withLockedValue { $0.append("\(host) \(head.uri)") }
            body = answer.bodies[String(host.prefix { $0 != ":" })] ?? answer.body
            if head.method == .POST {
                upload = PolicyServer.Upload(type: head.headers.first(name: "Content-Type") ?? "")
            }
        case .body(var bytes): upload?.body += bytes.readBytes(length: bytes.readableBytes) ?? []
        case .end:
            if let upload { uploads.withLockedValue { $0.append(upload) } }
            respond(context)
        }
    }

    private func respond(_ context: ChannelHandlerContext) {
        var headers = HTTPHeaders(answer.headers)
        headers.add(name: "Content-Length", value: "\(body.utf8.count)")
        let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let isWhole = !answer.stalls && !answer.breaks
        let sent = isWhole ? body : String(body.prefix(body.count / 2))
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: sent)))), promise: nil)
        if answer.breaks { return context.close(promise: nil) }
        if isWhole { context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
