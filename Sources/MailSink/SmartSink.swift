package import Logging
import NIOCore
import NIOPosix
import SMTPProtocol
import SMTPTransport
import Synchronization

/// An SMTP server that takes all mail and keeps none: the other end of demos, tests and benchmarks.
///
/// It bounces, defers, delays and drops as its ``SinkPolicy`` says, the same way for the same seed, and counts the
/// copies that each recipient got.
///
///     let sink = SmartSink(SmartSinkConfiguration(), logger: logger)
///     let port = try await sink.start()
///     …
///     await sink.shutdown()
///     print(sink.totals.copies)
package final class SmartSink: Sendable {
    private struct Running {
        let works: SinkWorks
        let listener: SMTPListener
        let group: MultiThreadedEventLoopGroup
        let threads: NIOThreadPool
    }

    private let configuration: SmartSinkConfiguration
    private let logger: Logger
    private let running = Mutex<Running?>(nil)

    package init(_ configuration: SmartSinkConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Begins to take mail. Call it once.
    ///
    /// - Returns: the port.
    /// - Throws: `SmartSinkError`, `SMTPListenerError`, `DKIMError`.
    package func start() async throws -> Int {
        let threads = NIOThreadPool(numberOfThreads: max(1, configuration.verifyThreads))
        let works = try SinkWorks(configuration, threads: threads)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, configuration.eventLoops))
        threads.start()
        var listening = SMTPListenerConfiguration(hostname: configuration.hostname)
        listening.host = configuration.host
        listening.port = configuration.port
        listening.identity = configuration.identity
        listening.profile.offersRequireTLS = configuration.offersRequireTLS
        listening.profile.maximumMessageOctets = configuration.maximumMessageOctets
        let listener = SMTPListener(configuration: listening, handler: works, group: group, logger: logger)
        do {
            let port = try await listener.start()
            running.withLock { $0 = Running(works: works, listener: listener, group: group, threads: threads) }
            return port
        } catch {
            try? await group.shutdownGracefully()
            try? await threads.shutdownGracefully()
            throw error
        }
    }

    /// What has been seen so far. Final after ``shutdown()``.
    package var totals: SinkTotals {
        running.withLock { running in
            var totals = running?.works.tally.totals ?? SinkTotals()
            totals.mostConnections = running?.listener.mostConnections ?? 0
            return totals
        }
    }

    /// Copies taken for one recipient, in any case.
    package func copies(of recipient: String) -> Int {
        let digest = RecipientDigest(recipient, seed: configuration.seed)
        return running.withLock { $0?.works.tally.copies(of: digest) } ?? 0
    }

    /// Closes all connections, then finishes the DKIM checks that are queued.
    package func shutdown() async {
        guard let running = self.running.withLock({ $0 }) else { return }
        await running.listener.shutdown()
        await running.works.finishChecks()
        try? await running.threads.shutdownGracefully()
        try? await running.group.shutdownGracefully()
        running.works.log?.close()
    }
}
