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
    /// Such as `TLSv1.3`; nil without TLS.
    package let tlsVersion: String?
    /// This side's address, where the system tells it.
    package let localAddress: IPAddress?
    /// What the server offers, after TLS where there is TLS.
    package let extensions: SMTPExtensions
    /// How its TLS went; nil where none was tried.
    package let tlsOutcome: SMTPTLSOutcome?
    private let handler: SMTPClientChannelHandler
    private let domains = Mutex<Set<DomainName>>([])
    private let deliveries = Atomic<Int>(0)
    private let lessons = Mutex(Lessons())
    /// The policy takes TLS for a bonus.
    private let allowsPlaintext: Bool

    /// What deliveries have taught about the host since somebody last asked.
    struct Lessons: Sendable {
        enum Standing: Sendable {
            case works
            /// It took no mail for reasons of its own, broke off or fell silent.
            case fails
        }

        var standing: Standing?
        var suspectedExtension: SMTPExtensions.Keyword?
        var suspectsAnnouncing = false
        /// The session broke at its first command behind TLS.
        var breaksTLS = false
    }

    /// What TLS is to be tried.
    enum TLSAttempt: Sendable {
        case asPolicySays
        /// None: it failed a moment ago, and was told of.
        case noneAnyMore
        /// None: it failed not long ago. Every session without it is told of.
        case noneForNow
    }

    private init(
        target: SMTPTarget, handler: SMTPClientChannelHandler, opened: SMTPClientChannelHandler.Opened,
        tlsOutcome: SMTPTLSOutcome?, allowsPlaintext: Bool
    ) {
        self.tlsOutcome = tlsOutcome
        self.allowsPlaintext = allowsPlaintext
        self.target = target
        self.handler = handler
        isEncrypted = opened.isEncrypted
        isVerified = opened.isVerified
        tlsVersion = opened.tlsVersion
        localAddress = opened.localAddress
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
        do {
            return try await open(to: target, configuration: configuration, group: group)
        } catch {
            guard error.report.cause == .tlsFailed, allowsPlaintext(to: target, configuration) else { throw error }
            logger.debug("TLS failed, connecting without", metadata: ["host": "\(target.host)"])
            return try await open(to: target, .noneAnyMore, configuration: configuration, group: group)
        }
    }

    /// Whether mail may go to the target in plaintext where its TLS breaks.
    static func allowsPlaintext(to target: SMTPTarget, _ configuration: SMTPClientConfiguration) -> Bool {
        let policy = target.tls ?? configuration.tls
        return policy.allowsPlaintext && policy != .never && !configuration.startsWithTLS && !configuration.requiresTLS
    }

    /// One connection, and no second one for anything that fails.
    ///
    /// - Parameter time: for everything; nil leaves the time-outs of the single phases.
    static func open(
        to target: SMTPTarget, _ tls: TLSAttempt = .asPolicySays, within time: Duration? = nil,
        configuration: SMTPClientConfiguration, group: any EventLoopGroup
    ) async throws(SMTPConnectFailure) -> SMTPConnection {
        let wanted = target.tls ?? configuration.tls
        let policy = tls == .asPolicySays ? wanted : .never
        @discardableResult
        func tellOutcome(
            _ localAddress: IPAddress?, fault: DeliveryReport.Cause?, isSessionOpen: Bool = false
        ) -> SMTPTLSOutcome? {
            guard policy != .never || tls == .noneForNow else { return nil }
            let outcome = SMTPTLSOutcome(
                target: target, policy: wanted, localAddress: localAddress, fault: fault, isSessionOpen: isSessionOpen)
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
                loop.execute { handler.open(address, within: time, continuation) }
            }
        } onCancel: {
            loop.execute { handler.cancelOpening() }
        }
        switch result {
        case .success(let opened):
            let plaintext = tls == .noneForNow ? DeliveryReport.Cause.tlsFailed : .tlsNotOffered
            let outcome = tellOutcome(
                opened.localAddress, fault: opened.isEncrypted ? opened.certificateFault : plaintext,
                isSessionOpen: true)
            return SMTPConnection(
                target: target, handler: handler, opened: opened, tlsOutcome: outcome,
                allowsPlaintext: allowsPlaintext(to: target, configuration))
        case .failure(let failure):
            let cause = failure.report.cause
            // STARTTLS was offered and then refused.
            let isRefusal = cause == .refused && failure.phase == .startTLS
            if isRefusal || TLSResultType(cause) != nil {
                tellOutcome(failure.localAddress, fault: isRefusal ? .tlsNotOffered : cause)
            } else if failure.breaksTLS {
                tellOutcome(failure.localAddress, fault: .tlsFailed)
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
    package func deliver(_ envelope: SMTPEnvelope, _ message: consuming OutgoingMessage) async -> DeliveryReport {
        let number = deliveries.add(1, ordering: .relaxed).newValue
        let handler = handler
        let message = Unsent(consume message)
        let report = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                handler.eventLoop.execute { handler.deliver(number, envelope, message.take(), continuation) }
            }
        } onCancel: {
            handler.eventLoop.execute { handler.cancelDelivery(number) }
        }
        learn(from: report, isFirst: number == 1)
        return report
    }

    private func learn(from report: DeliveryReport, isFirst: Bool) {
        guard report.cause != .cancelled, report.cause != .poolClosed else { return }
        let breaks = isEncrypted && allowsPlaintext && isFirst && report.cause == .connectionClosed
        lessons.withLock { lessons in
            lessons.suspectedExtension = report.suspectedExtension ?? lessons.suspectedExtension
            lessons.suspectsAnnouncing = lessons.suspectsAnnouncing || report.suspectsAnnouncing
            lessons.breaksTLS = lessons.breaksTLS || breaks && report.phase == .mail
            guard !report.mayRetryAtOnce else { return }
            let isHosts = report.blame == .connection && report.verdict != .permanent && report.verdict != .accepted
            lessons.standing = isHosts ? .fails : .works
        }
    }

    /// What the pool has to learn from the deliveries since the last call.
    func takeLessons() -> Lessons {
        lessons.withLock { lessons in
            defer { lessons = Lessons() }
            return lessons
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

/// Hands a message into a closure that lives until the answer, without keeping it there: waiting for answers is most of
/// what a thousand connections do.
private final class Unsent: Sendable {
    private let message: Mutex<OutgoingMessage?>

    init(_ message: consuming OutgoingMessage) { self.message = Mutex(message) }

    /// Once.
    func take() -> OutgoingMessage {
        message.withLock { message in
            defer { message = nil }
            guard let message else { preconditionFailure("a message is handed over once") }
            return message
        }
    }
}
