/// How the program connects, and its bounds.
package struct PostgresConfiguration: Sendable {
    package var parameters: ConnectionParameters
    /// Connections that a pool opens at most.
    package var maximumConnections: Int = 8
    /// How long a task waits for a connection of the pool, including the time to open one.
    package var acquireTimeout: Duration = .seconds(10)
    /// What one ``ConnectionOwner`` may take of a pool; no shares if nil.
    package var share: PoolShare?
    /// What the server bounds in each session.
    package var limits = SessionLimits()
    /// Statements that each new connection runs once before it is lent, and undoes: what they do first in a session, such as
    /// planning and reading the catalogue, is done then. If they fail, the connection is as good as without them.
    package var rehearsal: String?
    /// The role to assume after the log-in (`SET ROLE`).
    package var role: String?
    /// Whose rows the transactions of a lent connection may see: the number of the owner's account, nil for nobody's. Each
    /// transaction of a pool that has this tells it to the server. It means something to the roles that policies confine.
    package var confinement: (@Sendable (ConnectionOwner?) -> Int64?)?
    package var applicationName: String = "sluice"
    /// How long to wait for each host's answer when connecting. libpq takes 2 seconds at least.
    package var connectTimeout: Duration = .seconds(5)
    /// Prepared statements kept for each connection.
    package var maximumStatements: Int = 256
    /// Tries of a transaction that ends in a deadlock or serialization failure.
    package var maximumTransactionTries: Int = 5

    package init(_ parameters: ConnectionParameters) { self.parameters = parameters }

    /// - Throws: ``PostgresError`` of kind `.configuration` if the string cannot be read.
    package init(connectionString: String) throws(PostgresError) {
        parameters = try ConnectionParameters(connectionString)
    }

    /// All that is handed to libpq, with defaults that notice a dead server.
    var libpqParameters: ConnectionParameters {
        var all = parameters
        all["application_name"] = all["application_name"] ?? applicationName
        all["connect_timeout"] = all["connect_timeout"] ?? String(max(2, connectTimeout.components.seconds))
        all["client_encoding"] = "UTF8"
        all["keepalives_idle"] = all["keepalives_idle"] ?? "15"
        all["keepalives_interval"] = all["keepalives_interval"] ?? "5"
        all["keepalives_count"] = all["keepalives_count"] ?? "3"
        all["tcp_user_timeout"] = all["tcp_user_timeout"] ?? "30000"
        return all
    }

    /// What each new connection runs first.
    var openingScript: String {
        let role = role.map { "SET ROLE \(SQL.quoted(identifier: $0));" } ?? ""
        return "SET client_min_messages = warning;" + role + limits.script
    }
}
