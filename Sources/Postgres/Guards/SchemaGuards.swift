/// The guards of a schema: as its migrations make them, or as a database has them at the moment.
///
/// The owner of tables can switch triggers off, drop policies and grant what no migration has granted. PostgreSQL tells
/// nobody. So what is there is compared with what should be, which lies beside the program (decision 0138):
///
/// ```swift
/// let expected = SchemaGuards(text: file)
/// let problems = expected.problems(of: try await SchemaGuards.read(on: connection))
/// ```
package struct SchemaGuards: Sendable, Equatable {
    /// PostgreSQL's, that worded the expressions.
    package let majorVersion: Int
    package let guards: [SchemaGuard]

    /// The opposite of ``text``.
    ///
    /// - Returns: nil where a line is none of a guard's.
    package init?(text: String) {
        let lines = text.split(separator: "\n")
        guard let first = lines.first, let version = first.split(separator: " ").last.flatMap({ Int($0) }) else {
            return nil
        }
        let guards = lines.dropFirst().compactMap(SchemaGuard.init(line:))
        guard guards.count == lines.count - 1 else { return nil }
        self.init(majorVersion: version, guards: guards)
    }

    init(majorVersion: Int, guards: [SchemaGuard]) {
        self.majorVersion = majorVersion
        self.guards = guards
    }

    /// A line with the version, and one for each guard, in order.
    package var text: String {
        (["# Written by SchemaTests, worded by PostgreSQL \(majorVersion)"] + guards.map(\.line)).joined(
            separator: "\n")
            + "\n"
    }

    /// What is wrong with a database that should have these guards, each told once. What belongs to tables that the schema
    /// does not know is nobody's guard.
    package func problems(of actual: SchemaGuards) -> [String] {
        let found = Dictionary(actual.guards.map { ($0.identity, $0) }) { first, _ in first }
        let expected = Dictionary(guards.map { ($0.identity, $0) }) { first, _ in first }
        let subjects = Set(guards.map(\.subject))
        let comparesWording = actual.majorVersion == majorVersion
        let lost: [String] = guards.compactMap { one in
            // A vault on a server of its own needs no role of the API.
            guard let now = found[one.identity] else { return one.kind == .role ? nil : "\(one.label) is gone" }
            if now.isAsGood(as: one, comparesWording: comparesWording) { return nil }
            return now.state == one.state
                ? "\(one.label) is not worded as migrations have worded it"
                : "\(one.label) is \(now.state), and should be \(one.state)"
        }
        let strange = actual.guards.filter {
            $0.isSuspicious && expected[$0.identity] == nil
                && (subjects.contains($0.subject) || $0.kind == .function || Self.installation.contains($0.subject))
        }
        return lost + strange.map { "\($0.label) (\($0.state)) comes from no migration" }
    }

    /// Subjects that every database has.
    private static let installation: Set = ["schema", "database", Databases.appRole, Databases.apiRole]

    /// Reads the catalogue of the schema that the session works in. Any role may.
    package static func read(on connection: PostgresConnection) async throws -> SchemaGuards {
        let version = try await connection.query("SELECT current_setting('server_version_num')::int / 10000").only
            .decode(Int32.self)
        let guards = try await connection.query(catalogue).map { row in
            let (subject, kind, name, state, wording) = try row.decode(
                String.self, String.self, String.self, String.self, String.self)
            guard let kind = SchemaGuard.Kind(rawValue: kind) else {
                throw PostgresError(.decoding, "\(kind) is no kind of guard")
            }
            return SchemaGuard(subject: subject, kind: kind, name: name, state: state, wording: wording)
        }
        return SchemaGuards(majorVersion: Int(version), guards: guards)
    }

    /// Of other roles than the application's only what lets them change rows: who may read is the operator's to say.
    private static let catalogue: SQL = """
        WITH t AS (
            SELECT c.oid, c.relname::text AS name, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity
            FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
        ), roles AS (
            SELECT oid, rolname::text AS name, rolsuper OR rolbypassrls OR rolcreaterole AS is_powerful
            FROM pg_roles WHERE rolname IN (\(Databases.appRole), \(Databases.apiRole))
        ), granted (subject, owner, grantee, privilege, part) AS (
            SELECT t.name, t.relowner, g.grantee, g.privilege_type, NULL::text
            FROM t, aclexplode(t.relacl) g
            UNION ALL
            SELECT t.name, t.relowner, g.grantee, g.privilege_type, a.attname::text
            FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND NOT a.attisdropped, aclexplode(a.attacl) g
            UNION ALL
            SELECT 'schema', n.nspowner, g.grantee, g.privilege_type, NULL
            FROM pg_namespace n, aclexplode(n.nspacl) g
            WHERE n.oid = current_schema()::regnamespace AND g.privilege_type = 'CREATE'
            UNION ALL
            SELECT 'database', d.datdba, g.grantee, g.privilege_type, NULL
            FROM pg_database d, aclexplode(d.datacl) g
            WHERE d.datname = current_database() AND g.privilege_type = 'CREATE'
        ), guards (subject, kind, name, state, wording) AS (
            SELECT t.name, 'rows', '',
                CASE WHEN NOT relrowsecurity THEN 'off' WHEN relforcerowsecurity THEN 'forced' ELSE 'on' END, ''
            FROM t
            UNION ALL
            SELECT t.name, 'trigger', g.tgname::text,
                CASE g.tgenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'on' WHEN 'D' THEN 'off' ELSE 'for replicas' END,
                pg_get_triggerdef(g.oid, true)
            FROM t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
            UNION ALL
            SELECT t.name, 'policy', p.polname::text,
                concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, p.polcmd, 'to',
                    (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r)::text END, ', ')
                        FROM unnest(p.polroles) r)),
                concat_ws(' / ', pg_get_expr(p.polqual, p.polrelid, true), pg_get_expr(p.polwithcheck, p.polrelid, true))
            FROM t JOIN pg_policy p ON p.polrelid = t.oid
            UNION ALL
            SELECT t.name, 'rule', r.rulename::text, r.ev_enabled::text, ''
            FROM t JOIN pg_rewrite r ON r.ev_class = t.oid
            UNION ALL
            SELECT t.name, 'constraint', c.conname::text, CASE WHEN c.convalidated THEN 'valid' ELSE 'for new rows' END,
                pg_get_constraintdef(c.oid, true)
            FROM t JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype IN ('c', 'f', 'x')
            UNION ALL
            SELECT t.name, 'index', c.relname::text, CASE WHEN i.indisvalid THEN 'valid' ELSE 'invalid' END,
                regexp_replace(pg_get_indexdef(i.indexrelid, 0, true), '^.* USING ', '')
            FROM t JOIN pg_index i ON i.indrelid = t.oid AND i.indisunique JOIN pg_class c ON c.oid = i.indexrelid
            UNION ALL
            SELECT g.subject, 'grant',
                g.privilege || ' to ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee)::text END,
                CASE WHEN bool_or(g.part IS NULL) THEN 'whole' ELSE string_agg(g.part, ', ' ORDER BY g.part COLLATE "C") END,
                ''
            FROM granted g
            WHERE g.grantee <> g.owner AND (g.grantee = 0 OR g.grantee IN (SELECT oid FROM roles)
                OR g.subject NOT IN ('schema', 'database') AND g.privilege <> 'SELECT')
            GROUP BY g.subject, g.privilege, g.grantee
            UNION ALL
            SELECT p.proname::text, 'function', pg_get_function_identity_arguments(p.oid),
                concat_ws(' ', CASE WHEN p.prosecdef THEN 'definer' ELSE 'invoker' END,
                    replace(array_to_string(p.proconfig, ' '), quote_ident(current_schema()), 'SCHEMA'),
                    nullif(left(encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex'), 16), left(encode(sha256(''), 'hex'), 16))),
                CASE WHEN p.prosqlbody IS NULL THEN '' ELSE pg_get_function_sqlbody(p.oid) END
            FROM pg_proc p
            WHERE p.pronamespace = current_schema()::regnamespace AND (p.prorettype = 'trigger'::regtype
                OR p.proname IN ('session_account', 'isolate_accounts')
                OR p.prosecdef AND p.proowner IN (SELECT relowner FROM t))
            UNION ALL
            SELECT t.name, 'owner', r.name, '', '' FROM t JOIN roles r ON r.oid = t.relowner
            UNION ALL
            SELECT r.name, 'member', pg_get_userbyid(m.roleid)::text, '', ''
            FROM roles r JOIN pg_auth_members m ON m.member = r.oid
            UNION ALL
            SELECT r.name, 'role', '', CASE WHEN r.is_powerful THEN 'powerful' ELSE 'plain' END, '' FROM roles r
        )
        SELECT subject, kind, name, state, regexp_replace(wording, '\\s+', ' ', 'g') FROM guards
        ORDER BY subject COLLATE "C", kind COLLATE "C", name COLLATE "C"
        """
}
