package import MailTypes
package import Postgres

/// A node has a row for each source that its operator has given, with pool and warm-up, and one without a pool for each
/// address that the system picks; each row says whether receivers see the address, which behind smarthosts they do not
/// (decision 0106). The addresses that receivers see stand in `nodes.sources` as well, for nodes of the version before.
extension FleetStore {
    /// What can send the mail of a pool now: its sources, and each node without any, which sends from an address that
    /// nothing limits.
    package static func sources(
        ofPool pool: String, on connection: PostgresConnection
    ) async throws -> [NodeSource] {
        try await connection.query(
            """
            SELECT coalesce(s.source, ''), s.warm_up_from, coalesce(s.allowances, '{}')
            FROM nodes n LEFT JOIN node_sources s ON s.node = n.node AND s.pool IS NOT NULL
            WHERE n.seen_at > clock_timestamp() - make_interval(secs => \(presentSeconds))
                AND (s.source IS NULL OR s.pool = \(pool))
            """
        ).map { row in
            let (address, first, allowances) = try row.decode(String.self, Int32?.self, [Int64].self)
            return NodeSource(
                address: address, pool: pool, warmUpFrom: first.map { Int($0) }, allowances: allowances.map { Int($0) })
        }
    }

    /// Whether a node has the pool; nil while no node says which pools it has.
    package static func hasPool(_ pool: String, on connection: PostgresConnection) async throws -> Bool? {
        let (nodes, having) = try await connection.query(
            """
            SELECT count(*), count(*) FILTER (WHERE \(pool) = ANY (pools)) FROM nodes
            WHERE pools IS NOT NULL AND seen_at > clock_timestamp() - make_interval(secs => \(presentSeconds))
            """
        ).only.decode(Int64.self, Int64.self)
        return nodes > 0 ? having > 0 : nil
    }

    /// The addresses that mail leaves from: of all nodes that were there of late, IPv4 first. None where mail leaves by
    /// others' hosts, or where no node has started yet.
    package static func addresses(on connection: PostgresConnection) async throws -> [IPAddress] {
        // A node of the version before has no rows where the system picks the address.
        try await connection.query(
            """
            SELECT known.source FROM (
                SELECT s.source FROM nodes n JOIN node_sources s USING (node)
                WHERE n.seen_at > clock_timestamp() - make_interval(days => \(addressDays)) AND s.is_seen
                UNION
                SELECT unnest(n.sources) FROM nodes n
                WHERE n.seen_at > clock_timestamp() - make_interval(days => \(addressDays))
                    AND NOT EXISTS (SELECT FROM node_sources s WHERE s.node = n.node)) AS known
            ORDER BY family(known.source::inet), known.source::inet
            """
        ).compactMap { IPAddress(try $0.decode(String.self)) }
    }

    /// - Parameter seen: addresses that receivers see.
    static func replaceSources(
        of node: String, by sources: [NodeSource], seen: Set<String>, on connection: PostgresConnection
    ) async throws {
        try await connection.query("DELETE FROM node_sources WHERE node = \(node)")
        for source in sources {
            try await connection.query(
                """
                INSERT INTO node_sources (node, source, pool, warm_up_from, allowances, is_seen)
                VALUES (
                    \(node), \(source.address), \(source.pool), \(source.warmUpFrom.map { Int32($0) } as Int32?),
                    \(source.allowances.map { Int64($0) }), \(seen.contains(source.address)))
                """)
        }
        try await connection.query(
            """
            INSERT INTO node_sources (node, source, allowances, is_seen)
            SELECT \(node), picked, '{}', true
            FROM unnest(\(seen.subtracting(sources.map(\.address)).sorted())) AS picked
            """)
    }

    /// Nodes not heard of for so long are taken for gone. They tell of themselves every two seconds.
    private static let presentSeconds = 60.0
    /// Days without a sign of a node after which its addresses are advised no more.
    private static let addressDays: Int32 = 30
}
