/// What a pool may do to its destination.
package struct PoolLimits: Sendable, Hashable {
    /// Connections at the same time, those being opened and closed included; at least 1.
    package var maximumConnections: Int
    /// Deliveries on one connection before it is closed; at least 1.
    package var maximumMessagesPerConnection: Int
    /// How long a connection without work stays open. Receivers close theirs after some minutes, some after seconds.
    package var idleTimeout: Duration
    /// How long the destination, or one of its hosts, is left alone after a failed connection.
    package var failureBackoff: Duration

    package init(
        maximumConnections: Int = 10, maximumMessagesPerConnection: Int = 100, idleTimeout: Duration = .seconds(5),
        failureBackoff: Duration = .seconds(10)
    ) {
        precondition(maximumConnections >= 1 && maximumMessagesPerConnection >= 1, "a pool without connections")
        self.maximumConnections = maximumConnections
        self.maximumMessagesPerConnection = maximumMessagesPerConnection
        self.idleTimeout = idleTimeout
        self.failureBackoff = failureBackoff
    }
}
