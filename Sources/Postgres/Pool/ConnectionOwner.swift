/// On whose behalf a task takes connections. A pool that gives each owner a share (``PoolShare``) counts by it.
///
/// ```swift
/// try await ConnectionOwner.$current.withValue(ConnectionOwner("account 7")) { … }
/// ```
/// Without an owner a task has no share of its own to keep to.
package struct ConnectionOwner: Hashable, Sendable {
    package let name: String
    /// Connections at a time in place of what a pool gives each owner; nil: as the pool has it.
    package let connections: Int?

    @TaskLocal package static var current: ConnectionOwner?

    package init(_ name: String, connections: Int? = nil) {
        self.name = name
        self.connections = connections
    }

    /// An owner stays the same when its share changes.
    package static func == (left: Self, right: Self) -> Bool { left.name == right.name }

    package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// What one owner may take of a pool, so that all others find connections.
package struct PoolShare: Hashable, Sendable {
    /// Connections at a time.
    package var connections: Int
    /// Tasks that may wait for one; further ones are refused at once (`.shareExhausted`).
    package var waiting: Int

    package init(connections: Int, waiting: Int = .max) {
        self.connections = connections
        self.waiting = waiting
    }
}
