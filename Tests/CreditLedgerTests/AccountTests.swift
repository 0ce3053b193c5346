import CreditLedger
import MailTypes
import Postgres
import Testing

@Suite struct AccountTests {
    @Test func accounts_are_found_by_number_and_name_and_listed_in_pages() async throws {
        let books = try await Books(credits: 3)
        try await books.run { ledger, first, connection in
            let second = try await ledger.createAccount(name: "second", limit: 7, on: connection)
            let third = try await ledger.createAccount(name: "third", on: connection)
            #expect(first < second && second < third)
            let found = try #require(try await ledger.account(named: "second", on: connection))
            #expect(found.id == second)
            #expect(found.balance == CreditBalance(posted: 0, held: 0, limit: 7))
            #expect(try await ledger.account(second, on: connection) == found)
            #expect(try await ledger.account(named: "nobody", on: connection) == nil)
            #expect(try await ledger.account(AccountID(rawValue: 12_345), on: connection) == nil)
            let page = try await ledger.accounts(limit: 2, on: connection)
            #expect(page.map(\.id) == [first, second])
            #expect(page.map(\.entryCount) == [1, 0])
            #expect(try await ledger.accounts(after: second, limit: 2, on: connection).map(\.id) == [third])
        }
    }

    @Test func a_name_is_unique_and_the_refusal_leaves_the_transaction_usable() async throws {
        let books = try await Books()
        try await books.run { ledger, _, connection in
            let account = try await ledger.createAccount(name: "twice", on: connection)
            await #expect(throws: LedgerError.accountNameTaken) {
                _ = try await ledger.createAccount(name: "twice", on: connection)
            }
            #expect(try await ledger.account(named: "twice", on: connection)?.id == account)
        }
    }

    @Test(arguments: ["", "   ", "a\nb", "nul\0", String(repeating: "x", count: 201)])
    func a_name_that_is_no_name_is_refused(name: String) async throws {
        let books = try await Books()
        await #expect(throws: LedgerError.invalidName) {
            try await books.run { ledger, _, connection in try await ledger.createAccount(name: name, on: connection) }
        }
    }

    @Test(arguments: [-1, Int64.max]) func a_limit_out_of_range_is_refused(limit: Int64) async throws {
        let books = try await Books()
        await #expect(throws: LedgerError.invalidAmount) {
            try await books.run { ledger, _, connection in
                try await ledger.createAccount(name: "limited", limit: limit, on: connection)
            }
        }
    }

    @Test func a_limit_is_set_and_holds_at_once() async throws {
        let books = try await Books(credits: 3, limit: 2)
        try await books.run { ledger, account, connection in
            let change = try await ledger.setLimit(10, of: account, memo: "agreed", on: connection)
            #expect((change.number, change.limit, change.memo) == (2, 10, "agreed"))
            #expect(try await ledger.balance(account, on: connection).available == 13)
            #expect(try await ledger.setLimit(10, of: account, on: connection).number == 3)
        }
        try await books.reserve([(batch: 1, amount: 8)])
        #expect(try await books.verify().problems == [])
        // What is held already stays within it.
        await #expect(throws: LedgerError.insufficientCredits(missing: 1, available: 5)) {
            try await books.run { try await $0.setLimit(4, of: $1, on: $2) }
        }
        try await books.run { try await $0.setLimit(5, of: $1, on: $2) }
        #expect(try await books.balance() == CreditBalance(posted: 3, held: 8, limit: 5))
        #expect(try await books.verify().problems == [])
    }

    @Test func a_limit_that_cannot_be_set_is_refused() async throws {
        let books = try await Books()
        for limit in [-1, LedgerLimits.maximumCredits + 1] {
            await #expect(throws: LedgerError.invalidAmount) {
                try await books.run { try await $0.setLimit(limit, of: $1, on: $2) }
            }
        }
        let memo = String(repeating: "x", count: LedgerLimits.memoOctets + 1)
        await #expect(throws: LedgerError.memoTooLong) {
            try await books.run { try await $0.setLimit(1, of: $1, memo: memo, on: $2) }
        }
        await #expect(throws: LedgerError.accountNotFound) {
            try await books.run { ledger, _, connection in
                try await ledger.setLimit(1, of: AccountID(rawValue: 12_345), on: connection)
            }
        }
        #expect(try await books.verify().problems == [])
    }

    @Test func entries_come_in_pages_newest_first() async throws {
        let books = try await Books()
        try await books.run { ledger, account, connection in
            for number in 1...5 { try await ledger.grant(1, to: account, key: "\(number)", on: connection) }
            #expect(try await ledger.entries(account, limit: 2, on: connection).map(\.number) == [5, 4])
            #expect(try await ledger.entries(account, before: 4, limit: 9, on: connection).map(\.number) == [3, 2, 1])
            #expect(try await ledger.entries(account, before: 1, on: connection).isEmpty)
        }
    }
}
