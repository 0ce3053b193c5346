import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import Testing

@Suite struct AppendOnlyTests {
    /// Statements that would rewrite the books.
    static let forbidden = [
        "UPDATE ledger_entries SET amount = amount + 1",
        "UPDATE ledger_entries SET memo = 'x' WHERE false",
        "DELETE FROM ledger_entries",
        "DELETE FROM ledger_entries WHERE false",
        "TRUNCATE ledger_entries",
        "TRUNCATE accounts CASCADE",
        "DELETE FROM holds",
        "TRUNCATE holds",
        "DELETE FROM accounts",
        "UPDATE limit_changes SET credit_limit = 5",
        "DELETE FROM limit_changes",
        "TRUNCATE limit_changes",
        "UPDATE holds SET state = 'open', charged = 0, released = 0, resolved_at = NULL WHERE batch_no = 1",
        "UPDATE holds SET charged = 4, released = 6 WHERE batch_no = 1",
        "UPDATE holds SET amount = 50 WHERE batch_no = 2",
        "UPDATE holds SET state = 'resolved', amount = 1, released = 1, resolved_at = now() WHERE batch_no = 2",
        "UPDATE accounts SET posted = posted + 1000",
        "UPDATE accounts SET held = 0",
        "UPDATE accounts SET entry_count = entry_count - 1",
        "UPDATE accounts SET chain_head = ''",
        """
        INSERT INTO holds (account_id, campaign_id, batch_no, amount, state, charged, resolved_at)
        SELECT account_id, 9, 9, 1, 'resolved', 1, now() FROM accounts
        """,
        """
        INSERT INTO ledger_entries (account_id, entry_no, kind, amount, posted_before, posted_after, held_before,
            held_after, chain, created_at)
        SELECT account_id, entry_count + 1, 'grant', 5, posted, posted + 5, held, held, decode(repeat('00', 32), 'hex'),
            now() FROM accounts
        """,
    ]

    @Test func the_application_cannot_rewrite_the_books() async throws {
        let books = try await Self.books()
        for statement in Self.forbidden {
            await Self.expectRefusal(of: statement, [.insufficientPrivilege, .restrictViolation]) {
                try await books.pool.withTransaction { try await $0.execute(script: statement) }
            }
        }
        #expect(try await books.verify().problems == [])
    }

    @Test func not_even_the_owner_can_rewrite_the_books() async throws {
        let books = try await Self.books()
        for statement in Self.forbidden {
            await Self.expectRefusal(of: statement, [.restrictViolation]) {
                try await books.database.owner.withTransaction { try await $0.execute(script: statement) }
            }
        }
        #expect(try await books.verify().problems == [])
    }

    @Test func a_temporary_table_of_the_same_name_fools_no_guard() async throws {
        let books = try await Self.books()
        await Self.expectRefusal(of: "a shadowed guard", [.restrictViolation]) {
            try await books.pool.withTransaction {
                try await $0.execute(
                    script: """
                        CREATE TEMP TABLE ledger_entries ON COMMIT DROP AS
                            SELECT account_id, entry_count AS entry_no, posted + 1000 AS posted_after, held AS held_after,
                                chain_head AS chain FROM public.accounts;
                        UPDATE public.accounts SET posted = posted + 1000;
                        """)
            }
        }
        #expect(try await books.verify().problems == [])
    }

    @Test func the_guards_stay_on_for_a_replicating_session() async throws {
        let books = try await Self.books()
        let superuser = try await PostgresConnection.connect(books.database.configuration(role: "postgres"))
        try await superuser.execute(script: "SET session_replication_role = replica")
        for statement in Self.forbidden {
            await Self.expectRefusal(of: statement, [.restrictViolation]) {
                try await superuser.execute(script: statement)
            }
        }
        await superuser.close()
    }

    private static func books() async throws -> Books {
        let books = try await Books(credits: 100)
        try await books.reserve([(batch: 1, amount: 10), (batch: 2, amount: 10)])
        try await books.settle(1, charged: 5)
        return books
    }

    private static func expectRefusal(
        of statement: String, _ states: Set<SQLState>, _ body: () async throws -> Void
    ) async {
        do {
            try await body()
            Issue.record("went through: \(statement)")
        } catch let error as PostgresError {
            #expect(error.sqlState.map(states.contains) == true, "\(statement): \(error)")
        } catch {
            Issue.record("\(statement): \(error)")
        }
    }
}

extension SQLState {
    fileprivate static let restrictViolation = SQLState(rawValue: "23001")
}
