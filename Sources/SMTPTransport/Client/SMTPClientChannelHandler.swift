import MailTypes
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import SMTPProtocol
import Synchronization

/// Carries out what ``SMTPClientStateMachine`` decides, on one channel.
///
/// `@unchecked Sendable`: apart from the atomic and the constants, all state belongs to `eventLoop`, and every entry
/// point checks in debug builds that it runs there.
final class SMTPClientChannelHandler: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Opened: Sendable {
        let extensions: SMTPExtensions
        let isEncrypted: Bool
        let isVerified: Bool
        let tlsVersion: String?
        /// What a policy that only tests found wrong with the certificate.
        let certificateFault: DeliveryReport.Cause?
        let localAddress: IPAddress?
    }

    typealias OpeningContinuation = CheckedContinuation<Result<Opened, SMTPConnectFailure>, Never>

    private struct Delivery {
        let number: Int
        /// Nil once all of it is written.
        var message: OutgoingMessage?
        let continuation: CheckedContinuation<DeliveryReport, Never>
    }

    /// Bytes of content encoded and written at a time. Most messages fit into one.
    private static let blockOctets = 128 * 1_024

    /// Replies are short; a handshake of TLS is not. A connection keeps two of them, and there may be thousands.
    private static let replyBuffers = AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 1_024, maximum: 16_384)

    let eventLoop: any EventLoop
    /// Completes when the channel is closed, or never came about.
    let closed: EventLoopFuture<Void>

    private let configuration: SMTPClientConfiguration
    private let target: SMTPTarget
    private let policy: SMTPTLSPolicy
    private let tlsContext: NIOSSLContext?
    private let verification: ServerVerification?
    private let closedPromise: EventLoopPromise<Void>
    private let usable = Atomic<Bool>(false)

    private var machine: SMTPClientStateMachine
    private var context: ChannelHandlerContext?
    private var opening: OpeningContinuation?
    private var isOpeningCancelled = false
    private var isInHandshake = false
    private var isEncrypted = false
    private var tlsVersion: String?
    private var certificateFault: DeliveryReport.Cause?
    private var localAddress: IPAddress?
    private var delivery: Delivery?
    /// A cancellation that overtook its delivery on the way to the event loop.
    private var cancelledEarly = 0
    private var upload: SMTPContentUpload?
    private var output = ByteBuffer()
    private var transcript: SMTPTranscript?

    /// When the opening, or the part of a transaction before its content, must be over, whatever single phases allow.
    private var limit: NIODeadline?
    private var deadline: NIODeadline?
    private var deadlinePhase: SMTPPhase?
    private var watchdog: (due: NIODeadline, task: Scheduled<Void>)?

    init(
        target: SMTPTarget, policy: SMTPTLSPolicy, configuration: SMTPClientConfiguration, tlsContext: NIOSSLContext?,
        verification: ServerVerification?, eventLoop: any EventLoop
    ) {
        self.target = target
        self.policy = policy
        self.configuration = configuration
        self.tlsContext = tlsContext
        self.verification = verification
        self.eventLoop = eventLoop
        closedPromise = eventLoop.makePromise()
        closed = closedPromise.futureResult
        machine = SMTPClientStateMachine(configuration.machine(policy))
        transcript = configuration.trace.map { SMTPTranscript($0, host: target.host) }
    }

    var isUsable: Bool { usable.load(ordering: .acquiring) }

    // MARK: From the connection

    func open(_ address: SocketAddress, within time: Duration?, _ continuation: OpeningContinuation) {
        eventLoop.assertInEventLoop()
        opening = continuation
        guard !isOpeningCancelled else { return failConnecting(.cancelled) }
        limit = time.map { .now() + TimeAmount($0) }
        bootstrap()
            .connectTimeout(TimeAmount(min(configuration.timeouts.connect, time ?? configuration.timeouts.connect)))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: Self.replyBuffers)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(self) }
            }
            .connect(to: address)
            .whenFailure { error in
                if case ChannelError.connectTimeout = error {
                    self.failConnecting(.timedOut)
                } else {
                    self.failConnecting(.unreachable)
                }
            }
    }

    private func bootstrap() -> ClientBootstrap {
        let bootstrap = ClientBootstrap(group: eventLoop)
        guard let local = configuration.localAddress,
            let address = try? SocketAddress(ipAddress: local.description, port: 0)
        else { return bootstrap }
        return bootstrap.bind(to: address)
    }

    func cancelOpening() {
        eventLoop.assertInEventLoop()
        isOpeningCancelled = true
        if opening != nil, context != nil { run(machine.ended(.cancelled)) }
    }

    func deliver(
        _ number: Int, _ envelope: SMTPEnvelope, _ message: OutgoingMessage,
        _ continuation: CheckedContinuation<DeliveryReport, Never>
    ) {
        eventLoop.assertInEventLoop()
        precondition(delivery == nil, "a connection delivers one message at a time")
        guard number != cancelledEarly else {
            // The server was told of it, and waits.
            if !machine.isIdle { run(machine.ended(.cancelled)) }
            return continuation.resume(
                returning: DeliveryReport(.temporary, .cancelled, in: .mail, blame: .connection))
        }
        delivery = Delivery(number: number, message: message, continuation: continuation)
        transcript?.hide(envelope)
        limit = .now() + TimeAmount(configuration.timeouts.transaction)
        run(machine.deliver(envelope))
    }

    func cancelDelivery(_ number: Int) {
        eventLoop.assertInEventLoop()
        guard delivery?.number == number else {
            cancelledEarly = number
            return
        }
        run(machine.ended(.cancelled))
    }

    func quit() {
        eventLoop.assertInEventLoop()
        run(machine.quit())
    }

    /// Closes from any thread.
    func abandon() {
        usable.store(false, ordering: .releasing)
        eventLoop.execute { self.run(self.machine.ended(.connectionClosed)) }
    }

    // MARK: From the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if isOpeningCancelled { run(machine.ended(.cancelled)) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        localAddress = context.channel.localAddress?.ipAddress.flatMap { IPAddress($0) }
        transcript?.note { "connected to \(target)" }
        if isOpeningCancelled {
            run(machine.ended(.cancelled))
        } else {
            if configuration.startsWithTLS { startHandshake() }
            watchClock(restarting: true)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        transcript?.received(bytes)
        machine.receive(bytes)
        run(machine.next())
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard upload != nil, context.channel.isWritable else { return }
        continueUpload(context)
        watchClock(restarting: true)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? TLSUserEvent, case .handshakeCompleted = event else {
            return context.fireUserInboundEventTriggered(event)
        }
        isInHandshake = false
        isEncrypted = true
        tlsVersion = (try? context.pipeline.syncOperations.nioSSL_tlsVersion())?.name
        transcript?.note { "TLS established, certificate \(isVerified ? "verified" : "not verified")" }
        run(machine.tlsEstablished(isVerified: isVerified))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        run(machine.ended(isInHandshake ? handshakeFault : .connectionClosed))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        run(machine.ended(isInHandshake ? handshakeFault : .connectionClosed))
        stopClock()
        transcript?.note { "connection closed" }
        closedPromise.succeed()
    }

    // MARK: Actions

    private func run(_ first: SMTPClientStateMachine.Action) {
        var action = first
        var hasActed = false
        while action != .wait {
            hasActed = true
            perform(action)
            action = machine.next()
        }
        watchClock(restarting: hasActed)
    }

    private func perform(_ action: SMTPClientStateMachine.Action) {
        switch action {
        case .wait: break
        case .send(let commands):
            output.clear()
            for command in commands { command.encode(into: &output) }
            transcript?.sent(commands)
            write()
        case .startTLS: startHandshake()
        case .opened(let extensions):
            usable.store(true, ordering: .releasing)
            let opened = Opened(
                extensions: extensions, isEncrypted: isEncrypted, isVerified: isVerified, tlsVersion: tlsVersion,
                certificateFault: certificateFault, localAddress: localAddress)
            opening?.resume(returning: .success(opened))
            opening = nil
        case .fail(let report, let quitting):
            if quitting { sendQuit() }
            close()
            var failure = SMTPConnectFailure(host: target.host, report: report, localAddress: localAddress)
            failure.isBehindTLS = isEncrypted
            opening?.resume(returning: .failure(failure))
            opening = nil
        case .sendContent: sendContent()
        case .report(let report, let closing):
            upload = nil
            output = ByteBuffer()
            if closing { close() }
            let finished = delivery
            delivery = nil
            finished?.continuation.resume(returning: report)
        case .close: close()
        }
    }

    private func write() {
        context?.writeAndFlush(wrapOutboundOut(output), promise: nil)
    }

    private func sendQuit() {
        output.clear()
        SMTPClientCommand.quit.encode(into: &output)
        transcript?.sent([.quit])
        write()
    }

    private func close() {
        usable.store(false, ordering: .releasing)
        context?.close(promise: nil)
    }

    private func failConnecting(_ cause: DeliveryReport.Cause) {
        let cause = isOpeningCancelled ? .cancelled : cause
        transcript?.note { "no connection to \(target): \(cause)" }
        opening?.resume(returning: .failure(SMTPConnectFailure(cause, host: target.host)))
        opening = nil
        closedPromise.succeed()
    }

    // MARK: TLS

    private var isVerified: Bool { isEncrypted && policy.verifiesServer && certificateFault == nil }

    private var handshakeFault: DeliveryReport.Cause {
        // A policy that only tests lets no handshake fail because of what it finds.
        policy.allowsPlaintext ? .tlsFailed : certificateFault ?? .tlsFailed
    }

    private func startHandshake() {
        guard let context, let tlsContext else { return run(machine.ended(.tlsFailed)) }
        isInHandshake = true
        do {
            let handler = try makeTLSHandler(tlsContext)
            try context.pipeline.syncOperations.addHandler(handler, position: .first)
        } catch {
            run(machine.ended(.tlsFailed))
        }
    }

    private func makeTLSHandler(_ context: NIOSSLContext) throws -> NIOSSLClientHandler {
        guard let verification else {
            return try NIOSSLClientHandler(context: context, serverHostname: target.serverName)
        }
        return try NIOSSLClientHandler(context: context, serverHostname: target.serverName) { chain, promise in
            // Checking signatures takes its time, which the event loop has not.
            Task {
                let fault = await verification.fault(chain)
                self.eventLoop.execute {
                    self.certificateFault = fault
                    let passes = fault == nil || self.policy.allowsPlaintext
                    promise.succeed(passes ? .certificateVerified : .failed)
                }
            }
        }
    }

    // MARK: Content

    private func sendContent() {
        guard let context, let message = delivery?.message else { return }
        transcript?.note { "\(SMTPTraceLine.content)\(message.size) octets" }
        upload = SMTPContentUpload(message)
        continueUpload(context)
    }

    /// Writes block by block, as fast as the peer takes them, so that a big message is not in memory twice.
    private func continueUpload(_ context: ChannelHandlerContext) {
        while upload != nil, context.channel.isWritable {
            output.clear()
            upload?.writeBlock(ofOctets: Self.blockOctets, into: &output)
            if upload?.isFinished == true {
                upload = nil
                guard delivery?.message?.mayEnd?() ?? true else { return run(machine.ended(.cancelled)) }
                // Before the write: from here on the server may have the whole message.
                machine.contentHandedOver()
                announceNext()
            }
            write()
        }
        guard upload == nil else { return }
        // Who waits for an answer keeps no message, nor the room for one: there may be thousands.
        delivery?.message = nil
        output = ByteBuffer()
    }

    /// Puts the commands of the next transaction behind the final dot, where one is known to follow.
    private func announceNext() {
        guard let next = delivery?.message?.next, machine.mayAnnounce, let envelope = next(),
            let commands = machine.announce(envelope)
        else { return }
        for command in commands { command.encode(into: &output) }
        transcript?.announce(envelope)
        transcript?.sent(commands)
    }

    // MARK: Clock

    /// Sets the deadline for what is awaited now. A part of a reply does not move it, so that a server cannot keep us
    /// waiting by sending an octet now and then.
    private func watchClock(restarting: Bool) {
        let phase = machine.awaitedPhase
        guard restarting || phase != deadlinePhase else { return }
        deadlinePhase = phase
        guard let phase, context != nil else {
            deadline = nil
            return
        }
        var due = NIODeadline.now() + TimeAmount(configuration.timeouts.duration(of: phase))
        if let limit, phase.isBeforeContent { due = min(due, limit) }
        deadline = due
        if let watchdog, watchdog.due <= due { return }
        watchdog?.task.cancel()
        scheduleWatchdog(due)
    }

    /// One timer lives as long as there are deadlines and looks at the newest when it fires: setting one for each
    /// command would cost more than the command.
    private func scheduleWatchdog(_ due: NIODeadline) {
        watchdog = (due, eventLoop.scheduleTask(deadline: due) { self.watchdogFired() })
    }

    private func watchdogFired() {
        watchdog = nil
        guard let deadline else { return }
        guard deadline <= .now() else { return scheduleWatchdog(deadline) }
        run(machine.ended(isInHandshake ? handshakeFault : .timedOut))
    }

    private func stopClock() {
        deadline = nil
        watchdog?.task.cancel()
        watchdog = nil
    }
}

extension SMTPPhase {
    /// Whether giving up now leaves time and right to try another host.
    fileprivate var isBeforeContent: Bool {
        switch self {
        case .connect, .greeting, .ehlo, .startTLS, .auth, .mail, .rcpt, .data: true
        case .content, .finalDot, .quit: false
        }
    }
}

extension TLSVersion {
    /// As the field writes it.
    fileprivate var name: String {
        switch self {
        case .tlsv1: "TLSv1"
        case .tlsv11: "TLSv1.1"
        case .tlsv12: "TLSv1.2"
        case .tlsv13: "TLSv1.3"
        }
    }
}
