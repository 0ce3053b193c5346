package import MailTypes
package import Postgres

extension FleetStore {
    // MARK: A node's name

    /// Takes the node's name for this process.
    ///
    /// - Throws: ``NodeError/alreadyRunning`` while another process holds it.
    package func register(node: String) async throws {
        registrations.add(try await NodeRegistration.take(node, records.configuration, logger: logger), for: node)
    }

    /// Gives the name back. Leases stay until they run out or the node begins another incarnation.
    package func unregister(node: String) async {
        await registrations.remove(node)?.end()
    }

    // MARK: Incarnations

    /// Notes that a process begins to run under the node's name, and which sources it has instead of those that an earlier
    /// one had. Call it after ``register(node:)``, in the transaction that frees the leases of earlier ones.
    ///
    /// - Parameters:
    ///   - sources: as the operator has given them; none where the system picks the address. Customers are told what
    ///     warms up.
    ///   - addresses: that receivers see its mail come from, for advice on DNS; none behind smarthosts.
    /// - Returns: the incarnation's name, unlike any other.
    package static func beginIncarnation(
        of node: String, sources: [NodeSource], addresses: [IPAddress], on connection: PostgresConnection
    ) async throws -> String {
        let incarnation = String(UInt64.random(in: 0 ... .max), radix: 36)
        try await connection.query(
            """
            INSERT INTO nodes (node, started_at, seen_at, life, sources)
            VALUES (
                \(node), clock_timestamp(), clock_timestamp(), \(incarnation), \(addresses.map(\.description)))
            ON CONFLICT (node) DO UPDATE
            SET started_at = excluded.started_at, seen_at = excluded.seen_at, life = excluded.life,
                sources = excluded.sources
            """)
        try await replaceSources(of: node, by: sources, seen: Set(addresses.map(\.description)), on: connection)
        return incarnation
    }

    /// The node's last incarnation; nil where there has been none.
    package func lastIncarnation(of node: String) async throws -> String? {
        try await records.query("SELECT life FROM nodes WHERE node = \(node)").first?.decode(String.self)
    }

    // MARK: Who is there

    /// Says that the node lives, and which pools of source addresses it has.
    ///
    /// - Returns: how many nodes have said so in the last `aliveSeconds`, this one included, and the database's time, in
    ///   seconds since 1970.
    package func heartbeat(
        node: String, aliveSeconds: Double, pools: [String] = []
    ) async throws -> (nodes: Int, time: Double) {
        let (nodes, time) = try await urgent.query(
            """
            SELECT heartbeat(\(node), \(aliveSeconds), \(pools)),
                extract(epoch FROM clock_timestamp())::double precision
            """
        ).only.decode(Int32.self, Double.self)
        return (Int(nodes), time)
    }

    /// All nodes by name, also those that are gone.
    package func nodes() async throws -> [NodeStatus] {
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
                            = hashtextextended('sluice node ' || n.node, 0))
            FROM nodes n ORDER BY n.node
            """)
        return try rows.map { row in
            let (name, started, seen, isAlive) = try row.decode(String.self, Double.self, Double.self, Bool.self)
            return NodeStatus(name: name, startedSecondsAgo: started, seenSecondsAgo: seen, isAlive: isAlive)
        }
    }
}
