package import Logging
package import NIOCore
import NIOPosix
import NIOSSL
import SMTPProtocol
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An SMTP server: takes connections, speaks the protocol, asks a ``SMTPSessionHandler`` for every decision.
///
/// Connections are spread over the event loops of the group. Shut it down before the group.
package final class SMTPListener: Sendable {
    private struct Running {
        var listening: (any Channel)?
        var connections: [ObjectIdentifier: any Channel] = [:]
        /// Those that nobody is closing.
        var open: Set<ObjectIdentifier> = []
        var mostOpen = 0
        var isShutDown = false
    }

    private let configuration: SMTPListenerConfiguration
    private let handler: any SMTPSessionHandler
    private let group: any EventLoopGroup
    private let logger: Logger
    private let running = Mutex(Running())

    package init(
        configuration: SMTPListenerConfiguration, handler: any SMTPSessionHandler, group: any EventLoopGroup,
        logger: Logger
    ) {
        var configuration = configuration
        configuration.profile.offersTLS = configuration.identity != nil
        self.configuration = configuration
        self.handler = handler
        self.group = group
        self.logger = logger
    }

    /// Connections that are open now.
    package var connectionCount: Int { running.withLock { $0.connections.count } }

    /// The most that were open at once, without those that this server had begun to close.
    package var mostConnections: Int { running.withLock(\.mostOpen) }

    /// Begins to listen.
    ///
    /// - Returns: the port.
    package func start() async throws(SMTPListenerError) -> Int {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        SMTPServerChannelHandler(
                            configuration: configuration, refusal: admit(channel), handler: handler, logger: logger,
                            onClose: { [self, key = ObjectIdentifier(channel)] in
                                running.withLock { _ = $0.open.remove(key) }
                            }))
                }
            }
        do {
            let channel = try await bootstrap.bind(host: configuration.host, port: configuration.port).get()
            let isShutDown = running.withLock { running in
                running.listening = channel
                return running.isShutDown
            }
            if isShutDown { try? await channel.close() }
            return channel.localAddress?.port ?? configuration.port
        } catch {
            throw listenerError(error)
        }
    }

    /// Stops listening, tells the clients `421` where no message is being decided, and closes all connections.
    package func shutdown() async {
        let (listening, connections) = running.withLock { running in
            running.isShutDown = true
            return (running.listening, Array(running.connections.values))
        }
        try? await listening?.close()
        for connection in connections {
            connection.pipeline.fireUserInboundEventTriggered(SMTPServerChannelHandler.ShutDown())
        }
        for connection in connections {
            try? await connection.closeFuture.get()
        }
    }

    /// Counts the connection in.
    ///
    /// - Returns: a reply that sends it away, if it is one too many.
    private func admit(_ channel: any Channel) -> SMTPReply? {
        let key = ObjectIdentifier(channel)
        let isAdmitted = running.withLock { running in
            running.connections[key] = channel
            running.open.insert(key)
            running.mostOpen = max(running.mostOpen, running.open.count)
            return !running.isShutDown && running.connections.count <= configuration.maximumConnections
        }
        channel.closeFuture.whenComplete { [self] _ in
            running.withLock { running in
                running.connections[key] = nil
                running.open.remove(key)
            }
        }
        return isAdmitted ? nil : SMTPServerChannelHandler.tooManyConnections
    }

    private func listenerError(_ error: any Error) -> SMTPListenerError {
        let code: SMTPListenerError.Code =
            switch (error as? IOError)?.errnoCode {
            case EADDRINUSE: .addressInUse
            case EACCES, EPERM: .permissionDenied
            case EADDRNOTAVAIL: .addressNotAvailable
            default: error is SocketAddressError ? .addressNotAvailable : .cannotListen
            }
        return SMTPListenerError(code: code, host: configuration.host, port: configuration.port)
    }
}
