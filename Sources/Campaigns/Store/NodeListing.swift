package import Postgres

/// The nodes that have ever delivered with these records.
package struct NodeListing: Sendable {
    /// A node as the database knows it. Ages are by the database's clock.
    package struct Node: Sendable, Hashable, Codable {
        package let name: String
        package let startedSecondsAgo: Double
        /// A node says so every two seconds, whether or not it has work.
        package let seenSecondsAgo: Double
        /// Whether a process holds the name at this moment.
        package let isAlive: Bool
        /// Batches under a lease that holds.
        package let batches: Int
    }

    /// - Parameter records: a pool to the records.
    package static func nodes(_ records: PostgresPool) async throws -> [Node] {
        // A name is held by a session lock; see `NodeRegistration`. Its 64-bit key lies in two halves (pg_locks).
        let rows = try await records.query(
            """
            SELECT n.node, extract(epoch FROM clock_timestamp() - n.started_at)::double precision,
                extract(epoch FROM clock_timestamp() - n.seen_at)::double precision,
                EXISTS (
                    SELECT FROM pg_locks l
                    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        AND (l.classid::bigint << 32 | l.objid::bigint)
                            = hashtextextended('sluice node ' || n.node, 0)),
                (SELECT count(*) FROM batches b WHERE b.lease_node = n.node AND b.lease_until > clock_timestamp())
            FROM nodes n ORDER BY n.node
            """)
        return try rows.map { row in
            let (name, started, seen, isAlive, batches) = try row.decode(
                String.self, Double.self, Double.self, Bool.self, Int64.self)
            return Node(
                name: name, startedSecondsAgo: started, seenSecondsAgo: seen, isAlive: isAlive, batches: Int(batches))
        }
    }
}
