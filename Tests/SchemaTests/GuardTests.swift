import Foundation
import TestDatabases
import TestSupport
import Testing

@testable import Postgres

/// Triggers, policies, constraints and grants: which ones there are lies beside the program, and each that is missing,
/// weakened or too many is told.
struct GuardTests {
    private static let writes = ProcessInfo.processInfo.environment["SLUICE_WRITE_SCHEMA"] != nil

    private static func path(_ name: String) -> String {
        ProjectFolder.path + "/Sources/Application/Guards/\(name).tsv"
    }

    private static func expected(_ name: String) throws -> SchemaGuards {
        try #require(SchemaGuards(text: try String(contentsOfFile: path(name), encoding: .utf8)))
    }

    private static func read(_ database: TestDatabase) async throws -> SchemaGuards {
        try await database.pool.withConnection { try await SchemaGuards.read(on: $0) }
    }

    @Test(.enabled(if: SchemaDump.isPossible, "PostgreSQL \(SchemaDump.majorVersion) words the guards"))
    func `the lists of guards are what the migrations make`() async throws {
        for (name, migrations) in [("records", Schemas.records), ("vault", Schemas.vault)] {
            let made = try await Self.read(TestDatabase.make(migrations: migrations, logger: .silent))
            if Self.writes { try made.text.write(toFile: Self.path(name), atomically: true, encoding: .utf8) }
            let written = try Self.expected(name)
            let difference = Set(written.guards).symmetricDifference(made.guards).map(\.line).sorted()
            #expect(difference == [], "SLUICE_WRITE_SCHEMA=1 make test T=SchemaTests writes \(Self.path(name)) anew")
            #expect(written == made)
        }
    }

    @Test func `a database that an older version has begun has the same guards`() async throws {
        let older = try await OlderStores.open()
        try await older.migrate()
        #expect(try Self.expected("records").problems(of: try await Self.read(older.records)) == [])
    }

    /// Makes a change, as the tables' owner or, where it takes one, as a superuser, asks what is wrong, and takes it back.
    private func problems(
        after change: String, on connection: PostgresConnection, _ expected: SchemaGuards
    ) async throws -> [String] {
        try await connection.execute(script: "BEGIN; \(change)")
        let found = expected.problems(of: try await SchemaGuards.read(on: connection))
        try await connection.execute(script: "ROLLBACK")
        return found
    }

    private func connect(_ migrations: [Migration], as role: String) async throws -> PostgresConnection {
        let database = try await TestDatabase.make(migrations: migrations, logger: .silent)
        return try await PostgresConnection.connect(database.configuration(role: role))
    }

    /// A way to weaken all guards of a kind.
    private enum Weakening: String, CaseIterable {
        case dropped, off, forReplicas, onInPlaceOfAlways, notForced

        var kinds: Set<SchemaGuard.Kind> {
            switch self {
            case .dropped: [.trigger, .policy, .constraint, .index, .grant]
            case .off: [.trigger, .rows]
            case .forReplicas, .onInPlaceOfAlways: [.trigger]
            case .notForced: [.rows]
            }
        }

        /// What the owner does, and what is said then; nil where it does not weaken this one.
        func change(_ one: SchemaGuard) -> (statement: String, words: String)? {
            guard kinds.contains(one.kind) else { return nil }
            let (table, name) = (SQL.quoted(identifier: one.subject), SQL.quoted(identifier: one.name))
            switch self {
            case .dropped: return Self.drop(one).map { ($0, "is gone") }
            case .off:
                if one.kind == .trigger {
                    return ("ALTER TABLE \(table) DISABLE TRIGGER \(name)", "is off, and should be \(one.state)")
                }
                guard one.state != "off" else { return nil }
                return ("ALTER TABLE \(table) DISABLE ROW LEVEL SECURITY", "is off, and should be \(one.state)")
            case .forReplicas:
                return (
                    "ALTER TABLE \(table) ENABLE REPLICA TRIGGER \(name)", "is for replicas, and should be \(one.state)"
                )
            case .onInPlaceOfAlways:
                guard one.state == "always" else { return nil }
                return ("ALTER TABLE \(table) ENABLE TRIGGER \(name)", "is on, and should be always")
            case .notForced:
                guard one.state == "forced" else { return nil }
                return ("ALTER TABLE \(table) NO FORCE ROW LEVEL SECURITY", "is on, and should be forced")
            }
        }

        private static func drop(_ one: SchemaGuard) -> String? {
            let (table, name) = (SQL.quoted(identifier: one.subject), SQL.quoted(identifier: one.name))
            switch one.kind {
            case .trigger: return "DROP TRIGGER \(name) ON \(table)"
            case .policy: return "DROP POLICY \(name) ON \(table)"
            case .constraint: return "ALTER TABLE \(table) DROP CONSTRAINT IF EXISTS \(name)"
            case .index:
                // Those of keys are constraints.
                return """
                    DO $$ BEGIN
                        IF EXISTS (SELECT FROM pg_constraint WHERE conindid = '\(name)'::regclass AND contype IN ('p', 'u'))
                        THEN ALTER TABLE \(table) DROP CONSTRAINT \(name) CASCADE; ELSE DROP INDEX \(name) CASCADE; END IF;
                    END $$
                    """
            case .grant where !["schema", "database"].contains(one.subject):
                let words = one.name.split(separator: " ")
                let columns = one.state == "whole" ? "" : " (\(one.state))"
                return "REVOKE \(words[0])\(columns) ON \(table) FROM \(words[2])"
            default: return nil
            }
        }
    }

    @Test(arguments: ["records", "vault"]) func `each guard of the schema is missed`(_ name: String) async throws {
        let expected = try Self.expected(name)
        let connection = try await connect(name == "vault" ? Schemas.vault : Schemas.records, as: Databases.ownerRole)
        #expect(try await problems(after: "", on: connection, expected) == [])
        for weakening in Weakening.allCases {
            for kind in weakening.kinds {
                let changes = expected.guards.filter { $0.kind == kind }.compactMap { one in
                    weakening.change(one).map { (statement: $0.statement, problem: "\(one.label) \($0.words)") }
                }
                #expect(name == "vault" || !changes.isEmpty, "\(weakening) \(kind)")
                let found = try await problems(
                    after: changes.map(\.statement).joined(separator: ";\n"), on: connection, expected)
                #expect(Set(changes.map(\.problem)).subtracting(found) == [], "\(weakening) \(kind)")
            }
        }
        // One by itself is told by itself.
        let found = try await problems(
            after: name == "vault"
                ? "ALTER TABLE campaign_keys DISABLE TRIGGER USER"
                : "ALTER TABLE ledger_entries DISABLE TRIGGER refuse_row",
            on: connection, expected)
        #expect(found.count == 1, "\(found)")
        await connection.close()
    }

    @Test(arguments: [
        ("GRANT DELETE ON ledger_entries TO sluice_app", "the grant of DELETE to sluice_app on ledger_entries (whole)"),
        ("GRANT UPDATE (amount) ON holds TO PUBLIC", "the grant of UPDATE to PUBLIC on holds (amount)"),
        ("GRANT SELECT ON ledger_entries TO PUBLIC", "the grant of SELECT to PUBLIC on ledger_entries (whole)"),
        (
            "GRANT TRUNCATE ON limit_changes TO sluice_api",
            "the grant of TRUNCATE to sluice_api on limit_changes (whole)"
        ),
        ("CREATE ROLE stranger; GRANT INSERT ON holds TO stranger", "the grant of INSERT to stranger on holds (whole)"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "the grant of CREATE to PUBLIC on schema (whole)"),
        (
            "CREATE POLICY everything ON campaigns TO sluice_api USING (true)",
            "the policy everything of campaigns (permissive * to sluice_api)"
        ),
        (
            "CREATE RULE swallow AS ON INSERT TO ledger_entries DO INSTEAD NOTHING",
            "the rule swallow of ledger_entries (O)"
        ),
        (
            """
            CREATE TRIGGER refuse_more BEFORE INSERT ON ledger_entries
            FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change()
            """, "the trigger refuse_more of ledger_entries (on)"
        ),
        ("GRANT pg_write_all_data TO sluice_app", "sluice_app as a member of pg_write_all_data ()"),
        ("ALTER TABLE holds OWNER TO sluice_app", "sluice_app as the owner of holds ()"),
    ]) func `what no migration has made is told`(_ change: String, _ label: String) async throws {
        let connection = try await connect(Schemas.records, as: ServerEndpoint.superuser)
        let found = try await problems(after: change, on: connection, Self.expected("records"))
        #expect(found.contains("\(label) comes from no migration"), "\(found)")
        await connection.close()
    }

    @Test(arguments: [
        (
            "GRANT UPDATE (credit_limit) ON accounts TO sluice_api",
            "the grant of UPDATE to sluice_api on accounts is chain_head, credit_limit, "
        ),
        ("GRANT UPDATE ON accounts TO sluice_app", "the grant of UPDATE to sluice_app on accounts is whole, and "),
        (
            "CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "the function ledger_refuse_change() is invoker "
        ),
        ("ALTER FUNCTION ledger_check_account() RESET search_path", "the function ledger_check_account() is invoker "),
        ("ALTER FUNCTION ledger_check_hold() SECURITY DEFINER", "the function ledger_check_hold() is definer "),
        ("ALTER ROLE sluice_api BYPASSRLS", "the role sluice_api is powerful, and should be plain"),
    ]) func `what is otherwise than migrations have made it is told`(_ change: String, _ words: String) async throws {
        let connection = try await connect(Schemas.records, as: ServerEndpoint.superuser)
        let found = try await problems(after: change, on: connection, Self.expected("records"))
        #expect(found.contains { $0.hasPrefix(words) }, "\(found)")
        await connection.close()
    }

    @Test(
        .enabled(if: SchemaDump.isPossible, "PostgreSQL \(SchemaDump.majorVersion) words the guards"),
        arguments: [
            (
                "ALTER POLICY own_account ON campaigns USING (true)",
                "the policy own_account of campaigns is not worded as migrations have worded it"
            ),
            (
                """
                ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_arithmetic,
                    ADD CONSTRAINT ledger_entries_arithmetic CHECK (true)
                """,
                "the constraint ledger_entries_arithmetic of ledger_entries is not worded as migrations have worded it"
            ),
            (
                """
                DROP TRIGGER check_account ON accounts; CREATE TRIGGER check_account AFTER UPDATE ON accounts
                FOR EACH ROW WHEN (false) EXECUTE FUNCTION ledger_check_account();
                ALTER TABLE accounts ENABLE ALWAYS TRIGGER check_account
                """, "the trigger check_account of accounts is not worded as migrations have worded it"
            ),
            (
                "CREATE OR REPLACE FUNCTION session_account() RETURNS bigint LANGUAGE sql STABLE RETURN 7",
                "the function session_account() is not worded as migrations have worded it"
            ),
        ]) func `what says otherwise than migrations have said it is told`(_ change: String, _ words: String)
        async throws
    {
        let expected = try Self.expected("records")
        let connection = try await connect(Schemas.records, as: ServerEndpoint.superuser)
        #expect(try await problems(after: change, on: connection, expected) == [words])
        await connection.close()
    }

    /// Servers of other versions word expressions otherwise; of them only what all say alike is compared.
    @Test func `another version's words are no fault`() throws {
        let expected = try Self.expected("records")
        let reworded = expected.guards.map {
            SchemaGuard(subject: $0.subject, kind: $0.kind, name: $0.name, state: $0.state, wording: $0.wording + " ")
        }
        let version = expected.majorVersion
        #expect(expected.problems(of: SchemaGuards(majorVersion: version + 1, guards: reworded)) == [])
        #expect(!expected.problems(of: SchemaGuards(majorVersion: version, guards: reworded)).isEmpty)
    }

    @Test func `tables and indices of the operator's own are nobody's guard, and stronger triggers are guards`()
        async throws
    {
        let connection = try await connect(Schemas.records, as: ServerEndpoint.superuser)
        let change = """
            CREATE TABLE notes (id int PRIMARY KEY CHECK (id > 0)); GRANT ALL ON notes TO sluice_app;
            CREATE UNIQUE INDEX more ON accounts (account_id, name);
            ALTER TABLE accounts ENABLE ALWAYS TRIGGER note_limit;
            CREATE ROLE reader; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader
            """
        #expect(try await problems(after: change, on: connection, Self.expected("records")) == [])
        await connection.close()
    }
}
