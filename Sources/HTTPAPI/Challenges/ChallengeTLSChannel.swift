import HummingbirdCore
import Logging
import NIOCore
import NIOSSL
import NIOTLS

/// Connections with TLS of which some are challenges of a certificate authority: what a client asks for decides with which
/// certificate it is answered, which the TLS library alone does not tell.
struct ChallengeTLSChannel<Base: ServerChildChannel>: ServerChildChannel {
    typealias Value = Base.Value

    let base: Base
    let context: NIOSSLContext
    let challenges: CertificateChallenges

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(ClientHelloHandler(context, challenges))
        }.flatMap { base.setup(channel: channel, logger: logger) }
    }

    func handle(value: Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}

/// Waits for the client's first message, puts the TLS that fits it in its own place, and goes.
private final class ClientHelloHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let usual: NIOSSLContext
    private let challenges: CertificateChallenges
    private var received = ByteBuffer()
    private var hasDecided = false

    init(_ usual: NIOSSLContext, _ challenges: CertificateChallenges) {
        self.usual = usual
        self.challenges = challenges
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        guard !hasDecided else { return }
        switch ClientHello.read(received) {
        case .needsMore where received.readableBytes < ClientHello.longest: return
        case .needsMore, .other: goOn(context, usual, isChallenge: false)
        case .hello(let hello):
            hasDecided = true
            guard hello.protocols == [CertificateChallenges.applicationProtocol], let name = hello.serverName else {
                return goOn(context, usual, isChallenge: false)
            }
            answer(name, context)
        }
    }

    private func answer(_ name: String, _ context: ChannelHandlerContext) {
        let found = context.eventLoop.makePromise(of: NIOSSLContext?.self)
        found.completeWithTask { [challenges] in await challenges.handshake(name) }
        found.futureResult.assumeIsolated().whenComplete { result in
            // The client may have gone meanwhile.
            guard context.channel.isActive else { return }
            guard case .success(let tls?) = result else { return context.close(promise: nil) }
            self.goOn(context, tls, isChallenge: true)
        }
    }

    private func goOn(_ context: ChannelHandlerContext, _ tls: NIOSSLContext, isChallenge: Bool) {
        hasDecided = true
        let pipeline = context.pipeline.syncOperations
        do {
            if isChallenge { try pipeline.addHandler(ChallengeEnd(), position: .after(self)) }
            try pipeline.addHandler(NIOSSLServerHandler(context: tls), position: .after(self))
        } catch {
            return context.close(promise: nil)
        }
        let bytes = received
        received = ByteBuffer()
        context.fireChannelRead(wrapInboundOut(bytes))
        context.fireChannelReadComplete()
        pipeline.removeHandler(self, promise: nil)
    }
}

/// The handshake is the whole answer (RFC 8737 §3): no request is taken on such a connection.
private final class ChallengeEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        context.fireUserInboundEventTriggered(event)
        if case TLSUserEvent.handshakeCompleted = event { context.close(promise: nil) }
    }

    /// What came with the handshake goes nowhere.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
