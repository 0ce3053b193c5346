package import Feedback
package import Logging
package import NIOCore
package import SMTPTransport
package import SendingDomains
import ServiceLifecycle

/// The mail server of the return paths (RFC 5321): takes bounces, complaints and unsubscribes by mail, and nothing else.
///
/// What a mail says is committed before its final dot is answered, so none is lost that was taken. It never sends a mail:
/// who forges a sender gets nobody an answer.
package final class InboundMailServer: Service {
    private let configuration: InboundMailConfiguration
    private let listener: SMTPListener
    private let tally: InboundTally
    private let budget: ContentBudget
    private let logger: Logger
    private let onStart: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - mailboxProvider: names the mailbox provider of a host or mail domain; nil for one that nobody knows.
    ///   - onStart: told the port once it listens.
    package init(
        _ configuration: InboundMailConfiguration, attributor: Attributor, domains: SendingDomains,
        intake: FeedbackIntake, mailboxProvider: @escaping @Sendable (String) -> String? = { _ in nil },
        group: any EventLoopGroup, logger: Logger,
        onStart: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.logger = logger
        self.onStart = onStart
        let tally = InboundTally()
        let limits = configuration.limits
        let budget = ContentBudget(octets: limits.keptOctetsOfAll, share: limits.keptOctetsOfClient)
        self.tally = tally
        self.budget = budget
        let desk = InboundDesk(
            limits: configuration.limits,
            mailboxes: MailboxBook(attributor: attributor, domains: KnownDomains(domains)),
            intake: InboundIntake(
                attributor: attributor, facts: intake, domains: domains, mailboxProvider: mailboxProvider, tally: tally,
                logger: logger),
            clients: ClientBook(configuration.limits), budget: budget, tally: tally, logger: logger)
        listener = SMTPListener(
            configuration: configuration.listener, handler: Sessions(desk: desk), group: group, logger: logger)
    }

    package var counts: InboundCounts { tally.current }

    /// Connections that are open now.
    package var connectionCount: Int { listener.connectionCount }

    /// What may still be kept of mails under way.
    package var freeOctets: Int { budget.freeOctets }

    /// Until the node shuts down; mails whose end has come are answered first.
    package func run() async throws {
        _ = try await start()
        try? await gracefulShutdown()
        await shutdown()
    }

    /// - Returns: the port.
    package func start() async throws(SMTPListenerError) -> Int {
        let port = try await listener.start()
        logger.notice(
            "mail of the return paths is taken in",
            metadata: [
                "host": "\(configuration.host)", "port": "\(port)", "starttls": "\(configuration.identity != nil)",
            ])
        onStart(port)
        return port
    }

    package func shutdown() async { await listener.shutdown() }

    private struct Sessions: SMTPSessionHandler {
        let desk: InboundDesk

        func makeSession(peer: SocketAddress?, on eventLoop: any EventLoop) -> any SMTPServerSession {
            InboundSession(desk, peer: peer, on: eventLoop)
        }
    }
}
