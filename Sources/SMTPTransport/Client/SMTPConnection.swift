package import Logging
package import MailTypes
package import NIOCore
import NIOSSL
package import SMTPProtocol
import Synchronization

/// An open session with a mail server, ready for one transaction after another.
///
/// Whoever opened it ends it with `quit`; one that is dropped is closed.
package final class SMTPConnection: Sendable {
    package let target: SMTPTarget
    package let isEncrypted: Bool
    /// Whether the server proved over TLS to be the one that its policy asks for.
    package let isVerified: Bool
    /// What the server offers, after TLS where there is TLS.
    package let extensions: SMTPExtensions
    /// How its TLS went; nil where none was tried.
    package let tlsOutcome: SMTPTLSOutcome?
    private let handler: SMTPClientChannelHandler
    private let domains = Mutex<Set<DomainName>>([])
    private let deliveries = Atomic<Int>(0)

    private init(
        target: SMTPTarget, handler: SMTPClientChannelHandler, opened: SMTPClientChannelHandler.Opened,
        tlsOutcome: SMTPTLSOutcome?
    ) {
        self.tlsOutcome = tlsOutcome
        self.target = target
        self.handler = handler
        isEncrypted = opened.isEncrypted
        isVerified = opened.isVerified
        extensions = opened.extensions
    }

    deinit {
        if handler.isUsable { handler.abandon() }
    }

    /// Connects, greets, encrypts and logs in, as the configuration says.
    ///
    /// Where TLS is a bonus, a server whose TLS handshake fails is connected to again without. Cancelling the task
    /// closes the connection and throws.
    package static func connect(
        to target: SMTPTarget, configuration: SMTPClientConfiguration, group: any EventLoopGroup, logger: Logger
    ) async throws(SMTPConnectFailure) -> SMTPConnection {
        let policy = target.tls ?? configuration.tls
        do {
            return try await attempt(target, policy, configuration, group)
        } catch {
            guard policy.allowsPlaintext, policy != .never, !configuration.startsWithTLS,
                error.report.cause == .tlsFailed
            else { throw error }
            logger.debug("TLS failed, connecting without", metadata: ["host": "\(target.host)"])
            return try await attempt(target, .never, configuration, group)
        }
    }

    private static func attempt(
        _ target: SMTPTarget, _ policy: SMTPTLSPolicy, _ configuration: SMTPClientConfiguration,
        _ group: any EventLoopGroup
    ) async throws(SMTPConnectFailure) -> SMTPConnection {
        @discardableResult
        func tellOutcome(
            _ localAddress: IPAddress?, fault: DeliveryReport.Cause?, isSessionOpen: Bool = false
        ) -> SMTPTLSOutcome? {
            guard policy != .never else { return nil }
            let outcome = SMTPTLSOutcome(
                target: target, policy: policy, localAddress: localAddress, fault: fault, isSessionOpen: isSessionOpen)
            configuration.onTLSOutcome?(outcome)
            return outcome
        }
        if case .refused(let cause) = policy {
            tellOutcome(nil, fault: cause)
            throw SMTPConnectFailure(cause, in: .startTLS, host: target.host)
        }
        // Whatever the session would be, it would prove nothing.
        guard !configuration.requiresTLS || policy.verifiesServer else {
            throw SMTPConnectFailure(host: target.host, report: .requireTLSNotOffered(in: .connect))
        }
        let verification: ServerVerification?
        let context: NIOSSLContext?
        let address: SocketAddress
        do {
            verification = try ServerVerification(policy, target: target, trustRootsFile: configuration.trustRootsFile)
            context = policy == .never ? nil : try SMTPClientTLSContexts.context(verifies: verification != nil)
        } catch {
            // Our own set-up: nothing to count against the receiver, and no reason to go without TLS.
            throw SMTPConnectFailure(.certificateNotTrusted, in: .startTLS, host: target.host)
        }
        do {
            address = try SocketAddress(ipAddress: target.address.description, port: target.port)
        } catch {
            throw SMTPConnectFailure(.unreachable, host: target.host)
        }
        let loop = group.next()
        let handler = SMTPClientChannelHandler(
            target: target, policy: policy, configuration: configuration, tlsContext: context,
            verification: verification, eventLoop: loop)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                loop.execute { handler.open(address, continuation) }
            }
        } onCancel: {
            loop.execute { handler.cancelOpening() }
        }
        switch result {
        case .success(let opened):
            let outcome = tellOutcome(
                opened.localAddress, fault: opened.isEncrypted ? opened.certificateFault : .tlsNotOffered,
                isSessionOpen: true)
            return SMTPConnection(target: target, handler: handler, opened: opened, tlsOutcome: outcome)
        case .failure(let failure):
            let cause = failure.report.cause
            // STARTTLS was offered and then refused.
            let isRefusal = cause == .refused && failure.phase == .startTLS
            if isRefusal || TLSResultType(cause) != nil {
                tellOutcome(failure.localAddress, fault: isRefusal ? .tlsNotOffered : cause)
            }
            throw failure
        }
    }

    /// Whether the session is asked about this domain for the first time: reports count it once for each domain whose mail
    /// it carries.
    package func isFirst(for domain: DomainName) -> Bool { domains.withLock { $0.insert(domain).inserted } }

    /// Whether another transaction can be started. The server may close the connection at any moment.
    package var isUsable: Bool { handler.isUsable }

    /// Calls of `deliver` so far, whatever came of them.
    package var deliveredCount: Int { deliveries.load(ordering: .relaxed) }

    /// Sends one message to one recipient, and waits for the server's final word.
    ///
    /// One at a time; a second call before the first has returned is a bug and stops the program. Cancelling the task
    /// closes the connection: the report is then `.temporary`, or `.inDoubt` once the final dot may have been written.
    package func deliver(_ envelope: SMTPEnvelope, _ message: OutgoingMessage) async -> DeliveryReport {
        let number = deliveries.add(1, ordering: .relaxed).newValue
        let handler = handler
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                handler.eventLoop.execute { handler.deliver(number, envelope, message, continuation) }
            }
        } onCancel: {
            handler.eventLoop.execute { handler.cancelDelivery(number) }
        }
    }

    /// Says farewell and waits until the connection is closed, for as long as the time-out for QUIT allows.
    package func quit() async {
        let handler = handler
        handler.eventLoop.execute { handler.quit() }
        try? await handler.closed.get()
    }

    /// Closes without a word. A delivery that is under way is reported as if the server had closed.
    package func close() {
        handler.abandon()
    }

    /// Calls `body` once when the connection is closed, at once if it is already.
    func onClose(_ body: @escaping @Sendable () -> Void) {
        handler.closed.whenComplete { _ in body() }
    }
}
