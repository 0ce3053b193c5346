import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// Asks servers over keep-alive connections as cheaply as it can be done, on one thread, so that what is measured beside it
/// is the server. Each connection sends its next request when the answer to its last has come.
enum HTTPLoad {
    struct Answer: Sendable {
        let status: Int
        let sentAt, takenAt: ContinuousClock.Instant
    }

    /// What a connection does next.
    enum Step: Sendable {
        case send(ByteBuffer, after: TimeAmount = .zero)
        case end
    }

    /// Runs until all connections have ended. None sends before all are there.
    ///
    /// - Parameters:
    ///   - ports: of the servers; connections are spread over them.
    ///   - next: what a connection, by its number, does after an answer; after nil it begins. Called on one thread.
    /// - Returns: CPU seconds of the thread.
    /// - Throws: ``RigError`` where a server ends a connection or sends what is no answer, and what connecting throws.
    @discardableResult
    static func run(
        connections: Int, ports: [Int], next: @escaping @Sendable (_ connection: Int, _ after: Answer?) -> Step
    ) async throws -> Double {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let seconds = try await run(connections, ports, on: group, next)
            try await group.shutdownGracefully()
            return seconds
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private static func run(
        _ connections: Int, _ ports: [Int], on group: any EventLoopGroup,
        _ next: @escaping @Sendable (Int, Answer?) -> Step
    ) async throws -> Double {
        let loop = group.next()
        let failure = Mutex<(any Error)?>(nil)
        let note: @Sendable (any Error) -> Void = { error in failure.withLock { $0 = $0 ?? error } }
        var channels: [any Channel] = []
        for number in 0..<connections {
            let bootstrap = ClientBootstrap(group: loop)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            HTTPLoadHandler(next: { next(number, $0) }, fail: note))
                    }
                }
            channels.append(try await bootstrap.connect(host: "127.0.0.1", port: ports[number % ports.count]).get())
        }
        let before = try await loop.submit { threadSeconds() }.get()
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(HTTPLoadHandler.Start()) }
        for channel in channels { try await channel.closeFuture.get() }
        if let error = failure.withLock({ $0 }) { throw error }
        return try await loop.submit { threadSeconds() }.get() - before
    }

    /// Time that the thread which asks has had of a processor (proc(5), schedstat).
    private static func threadSeconds() -> Double {
        let data = FileManager.default.contents(atPath: "/proc/thread-self/schedstat") ?? Data()
        let words = String(decoding: data, as: UTF8.self).split(separator: " ")
        return (words.first.flatMap { Double($0) } ?? 0) / 1e9
    }
}

private final class HTTPLoadHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Start: Sendable {}

    private let next: (HTTPLoad.Answer?) -> HTTPLoad.Step
    private let fail: (any Error) -> Void
    private var reader = HTTPAnswerReader()
    private var sentAt = ContinuousClock.now
    private var hasEnded = false

    init(next: @escaping (HTTPLoad.Answer?) -> HTTPLoad.Step, fail: @escaping (any Error) -> Void) {
        self.next = next
        self.fail = fail
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is Start else { return context.fireUserInboundEventTriggered(event) }
        go(on: context, after: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        reader.append(unwrapInboundIn(data).readableBytesView)
        do {
            guard let status = try reader.next() else { return }
            go(on: context, after: HTTPLoad.Answer(status: status, sentAt: sentAt, takenAt: .now))
        } catch {
            end(context, error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !hasEnded { end(context, RigError(problem: "the server closed a connection")) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(context, error) }

    private func go(on context: ChannelHandlerContext, after answer: HTTPLoad.Answer?) {
        switch next(answer) {
        case .end: end(context, nil)
        case .send(let request, .zero): send(request, on: context)
        case .send(let request, let pause):
            context.eventLoop.assumeIsolated().scheduleTask(in: pause) { self.send(request, on: context) }
        }
    }

    private func send(_ request: ByteBuffer, on context: ChannelHandlerContext) {
        guard !hasEnded else { return }
        sentAt = .now
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    private func end(_ context: ChannelHandlerContext, _ error: (any Error)?) {
        guard !hasEnded else { return }
        hasEnded = true
        if let error { fail(error) }
        context.close(promise: nil)
    }
}
