import Logging
import MailTypes
import NIOCore
import NIOSSL
import NIOTLS
import SMTPProtocol

/// Carries out the steps of a ``SMTPServerStateMachine`` on a channel and asks the session its questions.
///
/// Input is read only as fast as it is answered: while a decision is pending, or the client does not read its replies,
/// nothing more is taken from the socket.
final class SMTPServerChannelHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// The user event that ends the session.
    struct ShutDown: Sendable {}

    static let tooManyConnections = SMTPReply(421, EnhancedStatusCode("4.3.2"), "Too many connections, try again later")

    private let configuration: SMTPListenerConfiguration
    private let refusal: SMTPReply?
    private let handler: any SMTPSessionHandler
    private let logger: Logger
    /// The server closes, and its client does not know yet.
    private let onClose: @Sendable () -> Void

    private var machine: SMTPServerStateMachine
    private var session: (any SMTPServerSession)?
    private var input = ByteBuffer()
    private var output = ByteBuffer()
    /// A decision is pending: no further step may be taken.
    private var isWaiting = false
    private var isClosing = false
    private var wantsShutDown = false
    /// The channel asked for a read while none was wanted.
    private var hasHeldRead = false
    private var isReading = false

    private var lastProgress = NIODeadline.now()
    private var contentStart: NIODeadline?
    /// What has come since ``contentStart``.
    private var contentOctets = 0
    private var timer: Scheduled<Void>?

    init(
        configuration: SMTPListenerConfiguration, refusal: SMTPReply?, handler: any SMTPSessionHandler, logger: Logger,
        onClose: @escaping @Sendable () -> Void = {}
    ) {
        self.onClose = onClose
        self.configuration = configuration
        self.refusal = refusal
        self.handler = handler
        self.logger = logger
        machine = SMTPServerStateMachine(configuration.profile)
    }

    // MARK: Events of the channel

    func channelActive(context: ChannelHandlerContext) {
        if let refusal {
            perform(machine.greet(refusal: refusal), context)
        } else {
            let session = handler.makeSession(peer: context.remoteAddress, on: context.eventLoop)
            self.session = session
            perform(machine.greet(refusal: session.connected()), context)
        }
        flush(context)
        startTimer(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard !isClosing else { return }
        isReading = true
        if machine.isReceivingContent {
            lastProgress = .now()
            contentOctets += bytes.readableBytes
        }
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.writeBuffer(&bytes)
        }
        run(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        flush(context)
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if !isClosing, isWaiting || !context.channel.isWritable {
            hasHeldRead = true
        } else {
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { resume(context) }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ShutDown:
            shutDown(context)
        case TLSUserEvent.handshakeCompleted:
            lastProgress = .now()
            machine.tlsEstablished()
            session?.secured()
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The peer's fault or the network's: both end the connection and neither is news to the operator.
        logger.debug("SMTP connection failed", metadata: ["error": "\(type(of: error))"])
        context.close(promise: nil)
    }

    // MARK: Steps

    /// Takes steps until input runs out, a decision is pending or the client must read first.
    private func run(_ context: ChannelHandlerContext) {
        while !isWaiting, !isClosing, context.channel.isWritable, let step = machine.next(&input) {
            perform(step, context)
        }
        if !isReading { flush(context) }
    }

    private func perform(_ step: SMTPServerStep, _ context: ChannelHandlerContext) {
        lastProgress = .now()
        switch step {
        case .reply(let reply): send(reply)
        case .close(let reply): close(reply, context)
        case .startTLS(let reply): startTLS(reply, context)
        case .refuseContent(let fault, let reply):
            contentStart = nil
            session?.contentRefused(fault)
            send(reply)
            shutDownIfIdle(context)
        case .hello(let hello): ask(context) { $0.hello(hello) }
        case .mail(let mail): ask(context) { $0.mail(mail) }
        case .recipient(let path): ask(context) { $0.recipient(path) }
        case .data: askData(context)
        case .message(let message):
            contentStart = nil
            ask(context) { $0.message(message) }
        }
    }

    private func ask(_ context: ChannelHandlerContext, _ question: (any SMTPServerSession) -> SMTPServerAction) {
        guard let session else { return }
        answer(question(session), context)
    }

    private func askData(_ context: ChannelHandlerContext) {
        guard let session else { return }
        switch session.data() {
        case .accept(let retention):
            contentStart = .now()
            contentOctets = input.readableBytes
            perform(machine.acceptData(retaining: retention, pendingOctets: input.readableBytes), context)
        case .refuse(let action):
            answer(action, context)
        }
    }

    private func answer(_ action: SMTPServerAction, _ context: ChannelHandlerContext) {
        switch action {
        case .reply(let reply):
            perform(machine.answer(reply), context)
            shutDownIfIdle(context)
        case .close(let reply):
            perform(machine.close(reply), context)
        case .delay(let time, let next):
            isWaiting = true
            context.eventLoop.assumeIsolated().scheduleTask(in: time) { self.wake(next, context) }
        case .future(let future):
            isWaiting = true
            future.assumeIsolated().whenComplete { result in
                switch result {
                case .success(let next): self.wake(next, context)
                case .failure: self.wake(.close(Self.localError), context)
                }
            }
        }
    }

    /// A pending decision was made.
    private func wake(_ action: SMTPServerAction, _ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        isWaiting = false
        answer(action, context)
        resume(context)
    }

    private func resume(_ context: ChannelHandlerContext) {
        run(context)
        guard !isWaiting, context.channel.isWritable else { return }
        releaseHeldRead(context)
    }

    // MARK: Output

    private func send(_ reply: SMTPReply) {
        reply.encode(into: &output)
    }

    private func flush(_ context: ChannelHandlerContext) {
        guard output.readableBytes > 0 else { return }
        let bytes = output
        // Writing may call back into this handler, and the channel holds on to the buffer: have a new one ready.
        output = context.channel.allocator.buffer(capacity: 256)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func close(_ reply: SMTPReply?, _ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        isClosing = true
        onClose()
        if let reply { send(reply) }
        flush(context)
        guard let reply, !reply.isPositive, !wantsShutDown, !machine.isSecured else {
            context.close(promise: nil)
            return
        }
        // A client that is still sending would lose the reply to a TCP reset, so hear it out for a moment.
        context.close(mode: .output, promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) { context.close(promise: nil) }
        releaseHeldRead(context)
    }

    private func releaseHeldRead(_ context: ChannelHandlerContext) {
        guard hasHeldRead else { return }
        hasHeldRead = false
        context.read()
    }

    private func startTLS(_ reply: SMTPReply, _ context: ChannelHandlerContext) {
        guard let identity = configuration.identity else {
            return close(Self.localError, context)
        }
        send(reply)
        flush(context)
        input = ByteBuffer()
        do {
            try context.pipeline.syncOperations.addHandler(
                NIOSSLServerHandler(context: identity.context), position: .first)
        } catch {
            context.close(promise: nil)
        }
    }

    // MARK: End

    /// Ends the session where no message is on its way. A client that may have sent the final dot is given time to hear
    /// the answer, since without it the mail would go out twice.
    private func shutDown(_ context: ChannelHandlerContext) {
        guard !wantsShutDown else { return }
        wantsShutDown = true
        shutDownIfIdle(context)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.shutdownGrace) {
            guard !self.isClosing else { return }
            self.perform(self.machine.close(Self.shuttingDown), context)
        }
    }

    private func shutDownIfIdle(_ context: ChannelHandlerContext) {
        guard wantsShutDown, !isClosing, !isWaiting, !machine.isReceivingContent else { return }
        perform(machine.close(Self.shuttingDown), context)
    }

    private func end() {
        timer?.cancel()
        timer = nil
        isClosing = true
        session?.closed()
        session = nil
    }

    // MARK: Time

    /// One timer a session, which looks at the clock and sets itself anew: cheaper than one for each command.
    private func startTimer(_ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        let now = NIODeadline.now()
        // What the session waits for may have changed to something with less patience by then.
        let shortest = TimeAmount(
            min(
                configuration.timeouts.command, configuration.timeouts.block, configuration.contentTimeout,
                configuration.leastContentRate?.grace ?? configuration.contentTimeout))
        let due = lastProgress + patience
        timer = context.eventLoop.assumeIsolated().scheduleTask(
            deadline: due > now ? min(due, now + shortest) : now + shortest
        ) {
            self.checkTime(context)
        }
    }

    private func checkTime(_ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        let now = NIODeadline.now()
        let contentIsOver = contentStart.map { $0 + TimeAmount(configuration.contentTimeout) <= now } ?? false
        if !isWaiting, lastProgress + patience <= now || contentIsOver || isTooSlow(now) {
            perform(machine.close(Self.timedOut), context)
        } else {
            startTimer(context)
        }
    }

    /// Whether the content drips in below the rate that it must have.
    private func isTooSlow(_ now: NIODeadline) -> Bool {
        guard let rate = configuration.leastContentRate, let contentStart else { return false }
        let time = now - contentStart
        guard time >= TimeAmount(rate.grace) else { return false }
        return Double(contentOctets) < Double(rate.octetsPerSecond) * Double(time.nanoseconds) / 1e9
    }

    /// Commands must be completed in time, so that one octet a minute does not hold a connection; content must flow.
    private var patience: TimeAmount {
        TimeAmount(machine.isReceivingContent ? configuration.timeouts.block : configuration.timeouts.command)
    }

    private static let lingering = TimeAmount.seconds(1)
    private static let shutdownGrace = TimeAmount.seconds(5)
    private static let localError = SMTPReply(451, EnhancedStatusCode("4.3.0"), "Local error in processing")
    private static let shuttingDown = SMTPReply(421, EnhancedStatusCode("4.3.2"), "Shutting down")
    private static let timedOut = SMTPReply(421, EnhancedStatusCode("4.4.2"), "Timed out waiting for the client")
}
