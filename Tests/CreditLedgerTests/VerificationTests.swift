import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import Testing

@Suite struct VerificationTests {
    @Test func sound_books_have_no_problems_and_a_stable_anchor() async throws {
        let books = try await Self.books()
        let first = try await books.verify()
        #expect(first.problemCount == 0)
        #expect((first.accounts, first.entries) == (1, 6))
        #expect(try await books.verify() == first)
        try await books.run { try await $0.grant(1, to: $1, key: "later", on: $2) }
        #expect(try await books.verify().anchor != first.anchor)
    }

    @Test func books_of_another_chain_key_are_found_out() async throws {
        let books = try await Self.books()
        let other = CreditLedger(chainKey: [UInt8](repeating: 8, count: 32))
        let result = try await books.pool.withConnection { try await other.verify(on: $0) }
        // Six entries, and the limit that the account was opened with.
        #expect(result.problemCount == 7)
    }

    /// What a hand in the tables might do, and a word that the finding must hold.
    static let tamperings: [(table: String, statement: String, finding: String)] = [
        ("ledger_entries", "UPDATE ledger_entries SET memo = 'forged' WHERE entry_no = 1", "chain"),
        (
            "ledger_entries",
            "UPDATE ledger_entries SET created_at = created_at + interval '1 day' WHERE entry_no = 3", "chain"
        ),
        ("ledger_entries", "UPDATE ledger_entries SET idempotency_key = 'other' WHERE entry_no = 1", "chain"),
        ("ledger_entries", "UPDATE ledger_entries SET campaign_id = 77 WHERE kind = 'settle'", "chain"),
        ("ledger_entries", "UPDATE ledger_entries SET amount = 900, posted_after = 900 WHERE entry_no = 1", "posted"),
        (
            "ledger_entries",
            """
            UPDATE ledger_entries SET posted_before = posted_before + 1, posted_after = posted_after + 1
            WHERE entry_no = 4
            """,
            "values before"
        ),
        ("ledger_entries", "DELETE FROM ledger_entries WHERE entry_no = 3", "entries 3 to 3 are missing"),
        ("ledger_entries", "DELETE FROM ledger_entries WHERE entry_no = 6", "counts 6 entries, there are 5"),
        ("ledger_entries", "DELETE FROM ledger_entries", "counts 6 entries, there are 0"),
        ("accounts", "UPDATE accounts SET posted = posted + 1", "posted is"),
        ("accounts", "UPDATE accounts SET held = held + 1", "held is"),
        ("accounts", "UPDATE accounts SET chain_head = '\\x00'", "chain head"),
        ("accounts", "UPDATE accounts SET credit_limit = 9", "the limit is 9, its last change says 0"),
        ("limit_changes", "UPDATE limit_changes SET credit_limit = 9", "of its limit: the chain value is wrong"),
        ("limit_changes", "UPDATE limit_changes SET memo = 'x'", "of its limit: the chain value is wrong"),
        ("limit_changes", "UPDATE limit_changes SET change_no = 2", "changes 1 to 1 are missing"),
        ("limit_changes", "DELETE FROM limit_changes", "nothing tells of its limit"),
        ("holds", "DELETE FROM holds WHERE batch_no = 2", "open holds"),
        ("holds", "UPDATE holds SET amount = amount + 1 WHERE batch_no = 2", "open holds"),
        (
            "holds", "UPDATE holds SET charged = charged + 1, released = released - 1 WHERE batch_no = 1",
            "does not agree with its settlement"
        ),
        (
            "holds",
            "UPDATE holds SET state = 'resolved', charged = amount, resolved_at = now() WHERE batch_no = 2",
            "does not agree with its settlement"
        ),
        (
            "holds",
            """
            INSERT INTO holds (account_id, campaign_id, batch_no, amount) SELECT account_id, 9, 9, 0 FROM accounts
            """, "do not add up"
        ),
        ("holds", "DELETE FROM holds WHERE batch_no = 1", "do not add up"),
    ]

    @Test(arguments: tamperings.indices) func tampering_is_found(index: Int) async throws {
        let (table, statement, finding) = Self.tamperings[index]
        let books = try await Self.books()
        try await books.tamper(statement, table: table)
        let result = try await books.verify()
        #expect(result.problemCount > 0)
        #expect(result.problems.contains { $0.contains(finding) }, "\(statement): \(result.problems)")
    }

    @Test func a_book_that_was_cut_off_shows_in_the_anchors_alone() async throws {
        let books = try await Self.books()
        let before = try await books.verify()
        let last = try #require(try await books.entries().dropFirst().first)
        try await books.tamper("DELETE FROM ledger_entries WHERE entry_no = 6")
        try await books.tamper(
            """
            UPDATE accounts SET entry_count = 5, posted = \(last.postedAfter), held = \(last.heldAfter),
                chain_head = (SELECT chain FROM ledger_entries WHERE entry_no = 5)
            """, table: "accounts")
        let after = try await books.verify()
        #expect(after.problemCount == 0)
        #expect(after.anchor != before.anchor)
        let compared = try await books.pool.withConnection {
            try await books.ledger.verify(against: before.anchors, on: $0)
        }
        #expect(compared.problems == ["account 1: the books end with entry 5, an anchor names 6"])
        // And not by going on as if nothing had been.
        try await books.run { try await $0.grant(7, to: $1, key: "instead", on: $2) }
        let later = try await books.pool.withConnection {
            try await books.ledger.verify(against: before.anchors, on: $0)
        }
        #expect(later.problems == ["account 1, entry 6: it is not the one of the anchor"])
    }

    @Test func books_that_go_on_keep_to_their_anchors() async throws {
        let books = try await Self.books()
        let anchors = try await books.verify().anchors
        try await books.run { try await $0.grant(7, to: $1, key: "more", on: $2) }
        _ = try await books.pool.withTransaction { try await books.ledger.createAccount(name: "new", on: $0) }
        let noted = try LedgerAnchors(text: anchors.text)
        #expect(noted == anchors)
        let result = try await books.pool.withConnection { try await books.ledger.verify(against: noted, on: $0) }
        #expect(result.problems == [])
        #expect(result.anchors.heads.count == 2)
        #expect(try LedgerAnchors(text: result.anchors.text) == result.anchors)
    }

    @Test func books_that_are_gone_show() async throws {
        let books = try await Self.books()
        let anchors = try await books.verify().anchors
        for table in ["ledger_entries", "holds", "limit_changes"] {
            try await books.tamper("DELETE FROM \(table)", table: table)
        }
        try await books.tamper("DELETE FROM accounts", table: "accounts")
        #expect(try await books.verify().problems == ["account 1: it has a name, and its books are gone"])
        try await books.database.owner.query("DELETE FROM account_names")
        let result = try await books.pool.withConnection { try await books.ledger.verify(against: anchors, on: $0) }
        #expect(result.problems == ["account 1: its books are gone, which an anchor names"])
    }

    /// With all guards on.
    @Test func a_limit_that_somebody_raises_in_the_table_is_found_until_it_is_confirmed() async throws {
        let books = try await Self.books()
        try await books.database.owner.query("UPDATE accounts SET credit_limit = 1000000000")
        let finding = "account 1: somebody has changed the limit from 0 to 1000000000 in the table"
        #expect(try await books.verify().problems == [finding])
        // And back: the change was made all the same.
        try await books.database.owner.query("UPDATE accounts SET credit_limit = 0")
        #expect(
            try await books.verify().problems == ["account 1: somebody has changed the limit from 0 to 0 in the table"])
        try await books.run { try await $0.setLimit(0, of: $1, on: $2) }
        #expect(try await books.verify().problems == [])
    }

    @Test func the_limit_of_an_account_that_an_older_version_opened_is_watched_as_well() async throws {
        let books = try await Books()
        try await books.database.pool.query(
            """
            WITH named AS (INSERT INTO account_names (name) VALUES ('older') RETURNING account_id)
            INSERT INTO accounts (account_id, name, credit_limit) SELECT account_id, 'older', 7 FROM named
            """)
        let anchors = try await books.verify().anchors
        #expect(try await books.verify().problems == [])
        try await books.database.owner.query("UPDATE accounts SET credit_limit = 8 WHERE name = 'older'")
        let finding = "account 2: somebody has changed the limit from 7 to 8 in the table"
        #expect(try await books.verify().problems == [finding])
        // What the database has noted itself no chain keeps, but an anchor does.
        try await books.tamper("DELETE FROM limit_changes WHERE change_no = 2", table: "limit_changes")
        try await books.tamper("UPDATE limit_changes SET credit_limit = 8 WHERE account_id = 2", table: "limit_changes")
        #expect(try await books.verify().problems == [])
        let result = try await books.pool.withConnection { try await books.ledger.verify(against: anchors, on: $0) }
        #expect(result.problems == ["account 2, change 1 of its limit: it is not the one of the anchor"])
    }

    @Test func changes_of_a_limit_that_were_cut_off_show_in_the_anchors() async throws {
        let books = try await Self.books()
        try await books.run { try await $0.setLimit(50, of: $1, memo: "agreed", on: $2) }
        let anchors = try LedgerAnchors(text: try await books.verify().anchors.text)
        #expect(anchors == (try await books.verify().anchors))
        try await books.tamper("DELETE FROM limit_changes WHERE change_no = 2", table: "limit_changes")
        try await books.tamper("UPDATE accounts SET credit_limit = 0", table: "accounts")
        #expect(try await books.verify().problems == [])
        let result = try await books.pool.withConnection { try await books.ledger.verify(against: anchors, on: $0) }
        #expect(result.problems == ["account 1: its limit was changed 1 times, an anchor names 2"])
    }

    @Test func anchors_of_before_limits_were_noted_are_read() async throws {
        let books = try await Self.books()
        let text = try await books.verify().anchors.text
        let older = try LedgerAnchors(text: text.split(separator: " ").prefix(3).joined(separator: " "))
        let result = try await books.pool.withConnection { try await books.ledger.verify(against: older, on: $0) }
        #expect(older.heads.values.first?.entry == 6 && older.heads.values.first?.limit == nil)
        #expect(result.problems == [])
    }

    @Test(arguments: [
        "7", "7 1", "x 1 aa", "7 -1", "7 1 zz", "7 0\n7 0", "7 1 " + String(repeating: "a", count: 63), "7 0 1",
        "7 0 1 zz", "7 0 0 0",
    ])
    func a_line_that_is_no_anchor_is_refused(_ text: String) {
        #expect(throws: LedgerError.invalidAnchor(line: text.split(separator: "\n").count)) {
            try LedgerAnchors(text: text)
        }
    }

    @Test func verification_reads_one_snapshot_and_leaves_the_connection_clean() async throws {
        let books = try await Self.books()
        try await books.pool.withConnection { connection in
            _ = try await books.ledger.verify(on: connection)
            // Not read-only any more, and no transaction open.
            _ = try await connection.withTransaction { connection in
                try await books.ledger.grant(1, to: books.account, key: "after", on: connection)
            }
        }
        #expect(try await books.verify().problemCount == 0)
    }

    /// Grant, reserve, settle, release, adjustment, grant: six entries.
    private static func books() async throws -> Books {
        let books = try await Books(credits: 100)
        try await books.reserve([(batch: 1, amount: 10), (batch: 2, amount: 20), (batch: 3, amount: 5)])
        try await books.settle(1, charged: 6, carried: [(batch: 4, amount: 2)])
        try await books.release([3])
        try await books.run { try await $0.adjust(by: -1, account: $1, key: "a", memo: "", on: $2) }
        try await books.run {
            try await $0.grant(3, to: $1, key: "last", on: $2)
        }
        return books
    }
}
