import Foundation
import Postgres
import TestDatabases
import TestSupport
import Testing

/// Row-level security of every table of an account's data, and of what the API's sessions may do.
struct IsolationTests {
    /// Tables with an account's number that hold nothing of an account.
    private static let exempt: Set = ["installation_suppressions"]

    private func database() async throws -> TestDatabase {
        try await TestDatabase.make(migrations: Schemas.records, logger: .silent)
    }

    @Test func `every table of an account's data is isolated`() async throws {
        let database = try await database()
        let tables = try await database.owner.query(
            """
            SELECT c.relname::text, c.relrowsecurity AND c.relforcerowsecurity
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id' AND NOT a.attisdropped
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
            """
        ).map { try $0.decode(String.self, Bool.self) }
        #expect(tables.count > 40)
        for (table, isForced) in tables {
            #expect(isForced != Self.exempt.contains(table), "a migration must call isolate_accounts('\(table)')")
        }
        let policies = try await database.owner.query(
            """
            SELECT tablename || ': ' || policyname || ' ' || cmd || ' ' || array_to_string(roles, ',') || ' ' || qual
                || coalesce(' ' || with_check, '')
            FROM pg_policies ORDER BY 1
            """
        ).map { try $0.decode(String.self) }
        var expected = Set(
            tables.filter { !Self.exempt.contains($0.0) }.flatMap {
                [
                    "\($0.0): every_account ALL sluice_app true",
                    "\($0.0): own_account ALL sluice_api (account_id = session_account())",
                ]
            })
        expected.insert("account_key_checks: installation SELECT sluice_api (account_id = 0)")
        // Stands beside the two others, and all must agree.
        expected.insert(
            "second_factor_changes: old_alone DELETE sluice_app (changed_at < (now() - '400 days'::interval))")
        #expect(Set(policies) == expected)
    }

    @Test func `the role of the API owns nothing, is in no role and may do no more than the application`() async throws
    {
        let database = try await database()
        let isPowerful = try await database.owner.query(
            """
            SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication
                OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
                OR EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid)
                OR EXISTS (SELECT FROM pg_proc p WHERE p.proowner = r.oid)
            FROM pg_roles r WHERE rolname = \(Databases.apiRole)
            """
        ).only.decode(Bool.self)
        #expect(!isPowerful)
        let beyond = try await database.owner.query(
            """
            SELECT c.relname || '.' || a.attname || ' ' || p
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped,
                unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS p
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
                AND has_column_privilege('sluice_api', c.oid, a.attnum, p)
                AND (NOT has_column_privilege('sluice_app', c.oid, a.attnum, p)
                    OR NOT c.relrowsecurity AND p <> 'SELECT')
            """
        ).map { try $0.decode(String.self) }
        #expect(beyond == [])
        let open = try await database.owner.query(
            """
            SELECT c.relname::text FROM pg_class c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relrowsecurity
                AND has_any_column_privilege('sluice_api', c.oid, 'SELECT') ORDER BY 1
            """
        ).map { try $0.decode(String.self) }
        #expect(open == ["installation_suppressions", "node_sources", "nodes"])
        let deleting = try await database.owner.query(
            """
            SELECT c.relname::text FROM pg_class c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
                AND (has_table_privilege('sluice_api', c.oid, 'TRUNCATE, TRIGGER')
                    OR has_table_privilege('sluice_api', c.oid, 'DELETE')
                        AND NOT has_table_privilege('sluice_app', c.oid, 'DELETE'))
            """
        ).map { try $0.decode(String.self) }
        #expect(deleting == [])
    }

    /// Row-level security shows it the addresses of one account's people, who see each other.
    @Test func `the role of the API reads no password or secret of people, and writes what admins decide alone`()
        async throws
    {
        let database = try await database()
        let granted = try await database.owner.query(
            """
            SELECT c.relname || '.' || a.attname || ' ' || p
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped,
                unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS p
            WHERE c.relnamespace = 'public'::regnamespace AND has_column_privilege('sluice_api', c.oid, a.attnum, p)
                AND (c.relname IN ('user_addresses', 'session_keys', 'sign_in_attempts') OR p <> 'SELECT'
                    AND c.relname IN ('users', 'sessions', 'account_people', 'invitations')
                    OR (c.relname, a.attname) IN (('users', 'address'), ('users', 'password_hash'),
                        ('sessions', 'refresh_hash'), ('invitations', 'secret_hash'), ('second_factors', 'sealed')))
            ORDER BY 1
            """
        ).map { try $0.decode(String.self) }
        // Beside members, their sessions and invitations, each is what a lock on the row takes, or the count of owners.
        #expect(
            granted == [
                "account_people.account_id INSERT", "account_people.demands_second_factor UPDATE",
                "account_people.owners INSERT", "account_people.owners UPDATE",
                "account_people.session_generation UPDATE",
                "invitations.account_id INSERT", "invitations.address INSERT", "invitations.expires_at INSERT",
                "invitations.inviter_id INSERT", "invitations.mail_due_at INSERT", "invitations.mail_due_at UPDATE",
                "invitations.revoked_at UPDATE", "invitations.role INSERT",
                "sessions.last_seen_at UPDATE", "sessions.revoked_at UPDATE", "user_addresses.account_id SELECT",
                "user_addresses.address SELECT",
                "user_addresses.user_id SELECT", "users.address SELECT", "users.generation UPDATE",
                "users.last_sign_in_at UPDATE",
                "users.role UPDATE",
            ])
    }

    /// Both work by their owner's rights, to whom the policies show all rows.
    @Test func `one function answers by its owner's rights, and no view does`() async throws {
        let database = try await database()
        let functions = try await database.owner.query(
            "SELECT proname::text FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        ).map { try $0.decode(String.self) }
        #expect(functions == ["proven_by_others"])
        let views = try await database.owner.query(
            "SELECT count(*) FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace"
        ).only.decode(Int.self)
        #expect(views == 0)
    }

    @Test func `migrations and the application see all rows, the API those of the account that is set`() async throws {
        let database = try await database()
        for account in 1...3 {
            try await database.pool.query(
                "INSERT INTO accounts (account_id, name) VALUES (\(account), \("a\(account)"))")
        }
        let count: SQL = "SELECT count(*) FROM accounts"
        #expect(try await database.owner.query(count).only.decode(Int.self) == 3)
        #expect(try await database.pool.query(count).only.decode(Int.self) == 3)
        let api = try await PostgresConnection.connect(database.configuration(role: Databases.apiRole))
        #expect(try await api.query(count).only.decode(Int.self) == 0)
        try await api.withTransaction { connection in
            try await connection.query("SELECT set_config('sluice.account', '2', true)")
            let seen = try await connection.query("SELECT account_id FROM accounts").map { try $0.decode(Int64.self) }
            #expect(seen == [2])
        }
        // The setting is an empty text by now, no longer missing.
        #expect(try await api.query(count).only.decode(Int.self) == 0)
        await api.close()
    }

    /// As generic plans, which sessions have after a few uses.
    @Test(arguments: [
        (
            "SELECT campaign_id FROM campaigns WHERE account_id = $1 AND campaign_id < $2 ORDER BY campaign_id DESC LIMIT 9",
            "campaigns_pkey"
        ),
        (
            """
            SELECT fingerprint FROM suppressions WHERE account_id = $1 AND (created_at, fingerprint) < (now(), '\\x00')
            ORDER BY created_at DESC, fingerprint DESC LIMIT $2
            """, "suppressions_by_age"
        ),
        ("SELECT sum(recipients) FROM batches WHERE account_id = $1 AND campaign_id = $2", "batches_pkey"),
        (
            "SELECT status FROM idempotency_keys WHERE account_id = $1 AND scope = 's' AND key = $2::text",
            "idempotency_keys_pkey"
        ),
    ]) func `a policy costs one comparison a statement and no index`(_ statement: String, _ index: String) async throws
    {
        let database = try await database()
        for (role, isConfined) in [(Databases.appRole, false), (Databases.apiRole, true)] {
            let connection = try await PostgresConnection.connect(database.configuration(role: role))
            try await connection.execute(
                script: """
                    SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off;
                    SET enable_sort = off; PREPARE asked (bigint, bigint) AS \(statement)
                    """)
            let plan = try await connection.query("EXPLAIN (COSTS OFF) EXECUTE asked (1, 2)").map {
                try $0.decode(String.self)
            }.joined(separator: "\n")
            #expect(plan.contains("using \(index) on"), "\(role): \(plan)")
            #expect(plan.contains("Index Cond: ((account_id = $1)"), "\(role): \(plan)")
            #expect(plan.contains("One-Time Filter") == isConfined, "\(role): \(plan)")
            #expect(plan.components(separatedBy: "sluice.account").count == (isConfined ? 2 : 1), "\(role): \(plan)")
            await connection.close()
        }
    }
}
