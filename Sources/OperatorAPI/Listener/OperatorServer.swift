import Foundation
import Hummingbird
import HummingbirdCore
package import Logging
package import NIOCore
package import ServiceLifecycle

/// Listens for operators: on a unix socket for everything, and where it is asked for on a loopback port for monitors.
package enum OperatorServer {
    /// - Parameter onStart: called once clients find the socket.
    package static func onSocket(
        _ socket: OperatorSocket, _ routes: OperatorRoutes, group: any EventLoopGroup, logger: Logger,
        onStart: @escaping @Sendable (Int?) -> Void
    ) -> some Service {
        SocketService(
            application: Hummingbird.Application(
                router: routes.router(readOnly: false),
                configuration: .init(
                    address: .unixDomainSocket(path: socket.bindPath), serverName: "sluice",
                    availableConnectionsDelegate: MaximumAvailableConnections(connections)),
                onServerRunning: { _ in
                    socket.publish(logger)
                    onStart(nil)
                }, eventLoopGroupProvider: .shared(group),
                logger: logger),
            socket: socket)
    }

    /// Reading only: a port has no file mode, and pages in a browser reach it as well.
    ///
    /// - Parameter onStart: called once it listens.
    package static func onPort(
        host: String, port: Int, _ routes: OperatorRoutes, group: any EventLoopGroup, logger: Logger,
        onStart: @escaping @Sendable (Int?) -> Void
    ) -> some Service {
        Hummingbird.Application(
            router: routes.router(readOnly: true),
            configuration: .init(
                address: .hostname(host, port: port), serverName: "sluice",
                availableConnectionsDelegate: MaximumAvailableConnections(connections)),
            onServerRunning: { _ in onStart(nil) }, eventLoopGroupProvider: .shared(group), logger: logger)
    }

    private static let connections = 64

    private struct SocketService<Application: ApplicationProtocol>: Service {
        let application: Application
        let socket: OperatorSocket

        func run() async throws {
            defer { socket.remove() }
            try await application.run()
        }
    }
}
