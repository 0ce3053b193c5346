import Postgres
import TestDatabases

/// What lies in the tables and columns of an older schema.
struct OlderSnapshot: Equatable {
    /// By table.
    let columns: [String: [String]]
    let rows: [String: Int64]
    private let digests: [String: String]

    /// - Parameter columns: those of an earlier snapshot; nil: all that there are.
    static func take(_ database: TestDatabase, columns: [String: [String]]? = nil) async throws -> OlderSnapshot {
        let columns = if let columns { columns } else { try await allColumns(database) }
        var rows: [String: Int64] = [:]
        var digests: [String: String] = [:]
        for (table, names) in columns {
            let list = names.map { SQL.quoted(identifier: $0) }.joined(separator: ", ")
            let row = try await database.owner.query(
                """
                SELECT count(*), coalesce(md5(string_agg(t.r, ' ' ORDER BY t.r)), '')
                FROM (SELECT ROW(\(unescaped: list))::text AS r FROM \(identifier: table)) AS t
                """
            ).only
            (rows[table], digests[table]) = try row.decode(Int64.self, String.self)
        }
        return OlderSnapshot(columns: columns, rows: rows, digests: digests)
    }

    private static func allColumns(_ database: TestDatabase) async throws -> [String: [String]] {
        let found = try await database.owner.query(
            """
            SELECT table_name::text, column_name::text FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name <> 'schema_migrations' ORDER BY 1, 2
            """
        ).map { try $0.decode(String.self, String.self) }
        return Dictionary(grouping: found) { $0.0 }.mapValues { $0.map(\.1) }
    }

    /// Rows of the tables that campaigns do not fill, of account 1.
    static let otherRows = """
        INSERT INTO api_key_hashes (key_hash, account_id) VALUES (decode(repeat('01', 32), 'hex'), 1);
        INSERT INTO api_keys (account_id, key_id, name, mode, display_prefix)
        VALUES (1, 1, 'k', 'live', 'sk_live_0000');
        INSERT INTO idempotency_keys (account_id, scope, key, request_hash) VALUES (1, 's', 'k', '\\x01');
        INSERT INTO suppressions (account_id, fingerprint, reason, origin)
        VALUES (1, decode(repeat('02', 16), 'hex'), 4, 'customer');
        INSERT INTO domain_keys (account_id, domain, selector, algorithm, record, sealed, position)
        VALUES (1, 'shop.example', 's1', 'ed25519', 'v=DKIM1', '\\x01', 0);
        INSERT INTO tls_reports (day, domain, results, report_id, due_at)
        VALUES (20000, 'example.org', '\\x01', 'r', 1);
        INSERT INTO mta_sts_policies
        VALUES ('example.org', '1', 'enforce', '{mx.example.org}', 86400, now(), now(), now());
        INSERT INTO operator_orders (account_id, campaign_id, lane, action, reason)
        VALUES (0, 0, 'lane', 'suspend', 'r');
        INSERT INTO account_shaping (account_id, weight, rate, pool) VALUES (1, 2, 10, 'pool');
        INSERT INTO site_tokens VALUES ('mx.example.org', 1, now());
        INSERT INTO source_usage VALUES ('192.0.2.1', 'provider', 20000, 5);
        INSERT INTO campaign_paces (account_id, campaign_id, free_at) VALUES (2, 1, now());
        """
}
