import CreditLedger
import MailTypes
import Postgres
import Testing

@Suite struct GrantTests {
    @Test func a_grant_adds_credits_and_an_entry() async throws {
        let books = try await Books(limit: 10)
        let entry = try await books.run {
            try await $0.grant(500, to: $1, key: "invoice-1", memo: "Rechnung 1", on: $2)
        }
        #expect(entry.number == 1)
        #expect(entry.kind == .grant)
        #expect((entry.postedBefore, entry.postedAfter) == (0, 500))
        #expect((entry.heldBefore, entry.heldAfter) == (0, 0))
        #expect(entry.memo == "Rechnung 1")
        #expect(try await books.entries() == [entry])
        let balance = try await books.balance()
        #expect(balance == CreditBalance(posted: 500, held: 0, limit: 10))
        #expect(balance.available == 510)
    }

    @Test(arguments: [0, -1, Int64.min]) func a_grant_of_nothing_or_less_is_refused(amount: Int64) async throws {
        let books = try await Books()
        await #expect(throws: LedgerError.invalidAmount) {
            try await books.run { try await $0.grant(amount, to: $1, key: "k", on: $2) }
        }
        #expect(try await books.entries().isEmpty)
    }

    @Test func an_overflow_is_refused_and_leaves_the_transaction_usable() async throws {
        let books = try await Books(credits: 5)
        try await books.run { ledger, account, connection in
            for amount in [LedgerLimits.maximumCredits, Int64.max, LedgerLimits.maximumCredits - 4] {
                await #expect(throws: LedgerError.overflow) {
                    try await ledger.grant(amount, to: account, key: "too-much", on: connection)
                }
            }
            try await ledger.grant(LedgerLimits.maximumCredits - 5, to: account, key: "just", on: connection)
        }
        #expect(try await books.balance().posted == LedgerLimits.maximumCredits)
    }

    @Test func the_same_key_and_request_give_the_same_entry() async throws {
        let books = try await Books()
        let first = try await books.run { try await $0.grant(5, to: $1, key: "k", memo: "m", on: $2) }
        let second = try await books.run { try await $0.grant(5, to: $1, key: "k", memo: "m", on: $2) }
        #expect(first == second)
        #expect(try await books.balance().posted == 5)
    }

    @Test func the_same_key_with_another_request_is_a_conflict() async throws {
        let books = try await Books()
        try await books.run { ledger, account, connection in
            try await ledger.grant(5, to: account, key: "k", memo: "m", on: connection)
            await #expect(throws: LedgerError.idempotencyConflict) {
                try await ledger.grant(6, to: account, key: "k", memo: "m", on: connection)
            }
            await #expect(throws: LedgerError.idempotencyConflict) {
                try await ledger.grant(5, to: account, key: "k", memo: "n", on: connection)
            }
            await #expect(throws: LedgerError.idempotencyConflict) {
                try await ledger.adjust(by: 5, account: account, key: "k", memo: "m", on: connection)
            }
        }
        #expect(try await books.balance().posted == 5)
    }

    @Test(arguments: ["", "with space", "tab\t", "ümlaut", String(repeating: "k", count: 256)])
    func a_key_that_is_no_key_is_refused(key: String) async throws {
        let books = try await Books()
        await #expect(throws: LedgerError.invalidKey) {
            try await books.run { try await $0.grant(1, to: $1, key: key, on: $2) }
        }
    }

    @Test func an_unknown_account_and_a_long_memo_are_refused() async throws {
        let books = try await Books()
        try await books.run { ledger, account, connection in
            let unknown = AccountID(rawValue: 999_999)
            await #expect(throws: LedgerError.accountNotFound) {
                try await ledger.grant(1, to: unknown, key: "k", on: connection)
            }
            await #expect(throws: LedgerError.accountNotFound) { try await ledger.balance(unknown, on: connection) }
            await #expect(throws: LedgerError.accountNotFound) { try await ledger.lock(unknown, on: connection) }
            await #expect(throws: LedgerError.memoTooLong) {
                try await ledger.grant(
                    1, to: account, key: "k", memo: String(repeating: "é", count: 501), on: connection)
            }
        }
    }

    @Test func an_adjustment_takes_back_no_more_than_is_free() async throws {
        let books = try await Books(credits: 100)
        try await books.reserve([(batch: 1, amount: 60)])
        await #expect(throws: LedgerError.insufficientCredits(missing: 1, available: 40)) {
            try await books.run { try await $0.adjust(by: -41, account: $1, key: "a", memo: "refund", on: $2) }
        }
        try await books.run { try await $0.adjust(by: -40, account: $1, key: "a", memo: "refund", on: $2) }
        #expect(try await books.balance() == CreditBalance(posted: 60, held: 60, limit: 0))
        #expect(try await books.verify().problemCount == 0)
    }

    @Test func a_purge_is_recorded_once() async throws {
        let books = try await Books(credits: 1)
        let digest = [UInt8](repeating: 0xAB, count: 32)
        let first = try await books.run {
            try await $0.recordPurge(account: $1, campaign: Books.campaign(3), digest: digest, on: $2)
        }
        let second = try await books.run {
            try await $0.recordPurge(account: $1, campaign: Books.campaign(3), digest: digest, on: $2)
        }
        #expect(first == second)
        #expect(first?.digest == digest)
        await #expect(throws: LedgerError.idempotencyConflict) {
            try await books.run {
                try await $0.recordPurge(
                    account: $1, campaign: Books.campaign(3), digest: [UInt8](repeating: 0, count: 32), on: $2)
            }
        }
        await #expect(throws: LedgerError.invalidDigest) {
            try await books.run {
                try await $0.recordPurge(account: $1, campaign: Books.campaign(4), digest: [1], on: $2)
            }
        }
        #expect(try await books.balance().posted == 1)
        #expect(try await books.verify().problemCount == 0)
    }
}
