/// How the program connects, and its bounds.
package struct PostgresConfiguration: Sendable {
    package var parameters: ConnectionParameters
    /// Connections that a pool opens at most.
    package var maximumConnections: Int = 8
    /// How long a task waits for a connection of the pool, including the time to open one.
    package var acquireTimeout: Duration = .seconds(10)
    /// How long a statement may run before the server stops it (SQLSTATE 57014); unlimited if nil.
    package var statementTimeout: Duration?
    /// The role to assume after the log-in (`SET ROLE`).
    package var role: String?
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
        var script = "SET client_min_messages = warning;"
        if let role { script += "SET ROLE \(SQL.quoted(identifier: role));" }
        if let statementTimeout {
            let (seconds, attoseconds) = statementTimeout.components
            let milliseconds = max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000)
            script += "SET statement_timeout = \(milliseconds);"
        }
        return script
    }
}
