import Postgres

/// An address that a node sends from.
package struct NodeSource: Sendable, Hashable {
    package let address: String
    package let pool: String
    /// The first day of its warm-up, in days since 1970; nil for one that receivers know.
    package let warmUpFrom: Int?
    /// Mails to one provider on that day and those after; later there is no limit.
    package let allowances: [Int]

    package init(address: String, pool: String, warmUpFrom: Int?, allowances: [Int]) {
        self.address = address
        self.pool = pool
        self.warmUpFrom = warmUpFrom
        self.allowances = allowances
    }
}

extension DeliveryStore {
    /// Says which sources a node has, instead of what it said before; none where the system picks the address.
    package func publish(_ sources: [NodeSource], of node: String) async throws {
        try await records.withTransaction { connection in
            try await connection.query("DELETE FROM node_sources WHERE node = \(node)")
            for source in sources {
                try await connection.query(
                    """
                    INSERT INTO node_sources (node, source, pool, warm_up_from, allowances)
                    VALUES (
                        \(node), \(source.address), \(source.pool), \(source.warmUpFrom.map { Int32($0) } as Int32?),
                        \(source.allowances.map { Int64($0) }))
                    """)
            }
        }
    }
}
