/// How to reach a private server: a socket in a folder that only its user, and root, can enter.
package struct ServerEndpoint: Hashable, Sendable {
    /// Part of the socket's name only; nothing listens on the network.
    package static let port = 5432
    package static let superuser = "postgres"

    package let socketDirectory: String

    package init(socketDirectory: String) { self.socketDirectory = socketDirectory }

    package func parameters(database: String, user: String) -> ConnectionParameters {
        ConnectionParameters([
            "host": socketDirectory, "port": "\(Self.port)", "dbname": database, "user": user,
        ])
    }

    /// Access of the superuser, for creating roles and databases.
    package func administration(database: String = "postgres") -> PostgresConfiguration {
        PostgresConfiguration(parameters(database: database, user: Self.superuser))
    }
}
