/// On whose behalf a task takes connections. A pool that gives each owner a share (``PoolShare``) counts by it, and one whose
/// sessions see the rows of one account alone (``PostgresConfiguration/confinement``) shows the owner's.
///
/// ```swift
/// try await ConnectionOwner.$current.withValue(.account(7)) { … }
/// ```
/// Without an owner a task has no share of its own to keep to, and sees no rows through a confined pool.
package struct ConnectionOwner: Hashable, Sendable {
    package let name: String
    /// Connections at a time in place of what a pool gives each owner; nil: as the pool has it.
    package let connections: Int?
    /// Whose rows the owner may see and write, from 1 on; nil: nobody's.
    package let account: Int64?

    @TaskLocal package static var current: ConnectionOwner?

    /// - Parameter account: from 1 on. Owners of one name are of one account.
    package init(_ name: String, connections: Int? = nil, account: Int64? = nil) {
        self.name = name
        self.connections = connections
        self.account = account
    }

    /// The account itself.
    package static func account(_ number: Int64, connections: Int? = nil) -> ConnectionOwner {
        ConnectionOwner("account \(number)", connections: connections, account: number)
    }

    /// Those whom the account mails: they have a share of their own, so that what the account does keeps no recipient.
    package static func recipients(ofAccount number: Int64) -> ConnectionOwner {
        ConnectionOwner("recipients of account \(number)", account: number)
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
