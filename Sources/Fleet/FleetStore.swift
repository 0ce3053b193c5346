package import Logging
package import Postgres

/// What nodes tell each other through the database: who they are, what they send from, and how much of a limit that holds
/// for all of them each one uses. Also what the operator has set for the mail of accounts, which every node follows.
///
/// Owns the tables `nodes`, `node_sources`, `account_shaping`, `account_limits`, `site_tokens`, `source_usage` and `provider_rests`. Of mail
/// it knows nothing: batches and their leases are of `Campaigns`, what a node makes of the news is of `Delivery`. All times
/// are those of the database.
package struct FleetStore: Sendable {
    /// For what can wait a moment.
    let records: PostgresPool
    /// For what all accounts' mail waits for.
    let urgent: PostgresPool
    let registrations = NodeRegistrations()
    let logger: Logger

    /// - Parameters:
    ///   - records: its configuration also opens the connection that holds a node's name.
    ///   - urgent: for heartbeats and tokens, which all accounts' mail waits for; `records` if nil.
    package init(records: PostgresPool, urgent: PostgresPool? = nil, logger: Logger) {
        self.records = records
        self.urgent = urgent ?? records
        self.logger = logger
    }
}
