import Dispatch
import MailSigning
import NIOCore
import NIOPosix
import SMTPTransport
import Synchronization

/// What the sessions of a sink share.
final class SinkWorks: SMTPSessionHandler {
    let configuration: SmartSinkConfiguration
    let tally = SinkTally()
    let log: SinkLog?
    let capture: SinkCapture?
    /// Files and DKIM: whatever may take longer than an event loop should.
    let threads: NIOThreadPool
    private let verifier: DKIMVerifier?
    /// Checks that are queued or under way.
    private let verifying = Atomic(0)
    private let checks = DispatchGroup()

    init(_ configuration: SmartSinkConfiguration, threads: NIOThreadPool) throws {
        self.configuration = configuration
        self.threads = threads
        log = try configuration.log.map { log throws(SmartSinkError) in try SinkLog(log) }
        capture = try configuration.captureDirectory.map { path throws(SmartSinkError) in
            try SinkCapture(directory: path)
        }
        verifier = configuration.verifyShare > 0 ? try DKIMVerifier(keys: configuration.keys) : nil
    }

    func makeSession(peer: SocketAddress?, on eventLoop: any EventLoop) -> any SMTPServerSession {
        SinkSession(self, on: eventLoop)
    }

    /// Whether this recipient's message is among the share to check.
    func verifies(_ recipient: RecipientDigest) -> Bool {
        verifier != nil && recipient.share(.verification) < configuration.verifyShare
    }

    /// Checks the message's signatures in the background.
    ///
    /// - Returns: nil while the queue is short; else a future that waits for this check.
    func verify(_ message: ByteBuffer, on eventLoop: any EventLoop) -> EventLoopFuture<Void>? {
        guard let verifier else { return nil }
        checks.enter()
        let backlog = verifying.add(1, ordering: .relaxed).newValue
        let check: @Sendable () -> Void = { [self] in
            let passes = (try? verifier.verify(Array(message.readableBytesView)))?.passes ?? false
            tally.count(passes ? \.dkimPass : \.dkimFail)
            verifying.subtract(1, ordering: .relaxed)
            checks.leave()
        }
        guard backlog <= Self.maximumBacklog else {
            return threads.runIfActive(eventLoop: eventLoop, check)
        }
        threads.submit { _ in check() }
        return nil
    }

    /// Waits until every check is done. To be called once no session is left, and before the threads stop.
    func finishChecks() async {
        await withCheckedContinuation { continuation in
            checks.notify(queue: .global()) { continuation.resume() }
        }
    }

    private static let maximumBacklog = 256
}
