package import MailTypes
package import Postgres

/// A node tells of its sources twice: `node_sources` has those that its operator has given, with pool and warm-up;
/// `nodes.sources` the addresses that receivers see, which behind smarthosts are none of these, and where the system picks
/// the address those of the machine (decision 0060). On the way to one list (decision 0079) rows say whether receivers see
/// the address, and those without a pool, which a later version writes, are read as none.
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
        try await connection.query(
            """
            SELECT s FROM (
                SELECT DISTINCT unnest(sources) AS s FROM nodes
                WHERE seen_at > clock_timestamp() - make_interval(days => \(addressDays))) AS known
            ORDER BY family(s::inet), s::inet
            """
        ).compactMap { IPAddress(try $0.decode(String.self)) }
    }

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
    }

    /// Nodes not heard of for so long are taken for gone. They tell of themselves every two seconds.
    private static let presentSeconds = 60.0
    /// Days without a sign of a node after which its addresses are advised no more.
    private static let addressDays: Int32 = 30
}
