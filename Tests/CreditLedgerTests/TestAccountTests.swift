import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import Testing

/// Test accounts have no books (decision 0125).
@Suite struct TestAccountTests {
    @Test func `a test account is told by its number, which goes both ways`() {
        let account = AccountID(rawValue: 17)
        #expect(!account.isTest && account.test.isTest)
        #expect(account.test == AccountID(rawValue: 500_000_000_017))
        #expect(account.test.live == account && account.live == account && account.test.test == account.test)
        #expect(!AccountID(rawValue: AccountID.mostLive).isTest)
    }

    @Test func `whatever is done in its name leaves the books as they were`() async throws {
        let books = try await Books(credits: 10)
        let test = books.account.test
        let campaign = Books.campaign(1)
        try await books.run { ledger, account, connection in
            let isNew = try await ledger.openTestAccount(account, on: connection)
            #expect(isNew)
            // Once more, by whoever makes another key.
            #expect(try await !ledger.openTestAccount(test, on: connection))
            #expect(
                try await ledger.reserve([(1, 1_000_000)], account: test, campaign: campaign, on: connection) == nil)
            let batch = BatchID(account: test, campaign: campaign, number: 1)
            #expect(try await ledger.settle(batch, charged: 7, carried: [(2, 3)], on: connection) == nil)
            #expect(
                try await ledger.settleMany(account: test, campaign: campaign, [(2, 1, [])], on: connection).isEmpty)
            #expect(try await ledger.release(account: test, campaign: campaign, batches: [9], on: connection) == 0)
            let recipient = [UInt8](repeating: 1, count: 16)
            #expect(try await ledger.refund([recipient], account: test, campaign: campaign, on: connection).isEmpty)
            let digest = [UInt8](repeating: 2, count: 32)
            #expect(
                try await ledger.recordPurge(account: test, campaign: campaign, digest: digest, on: connection) == nil)
            #expect(try await ledger.entries(test, on: connection).isEmpty)
            #expect(
                try await ledger.balance(test, on: connection) == CreditBalance(posted: 0, held: 0, limit: 0))
            #expect(
                try await ledger.campaignCredits(account: test, campaign: campaign, on: connection)
                    == CampaignCredits(held: 0, charged: 0, released: 0))
            // Lists and the verification are of accounts that have books.
            #expect(try await ledger.accounts(on: connection).map(\.id) == [account])
        }
        let verified = try await books.verify()
        #expect(verified.problems.isEmpty && verified.accounts == 1)
        #expect(try await books.balance() == CreditBalance(posted: 10, held: 0, limit: 0))
    }

    @Test func `nothing is granted to it, and there is none without its account`() async throws {
        let books = try await Books()
        try await books.run { ledger, account, connection in
            try await ledger.openTestAccount(account, on: connection)
            await #expect(throws: LedgerError.accountNotFound) {
                try await ledger.grant(1, to: account.test, key: "k", on: connection)
            }
            await #expect(throws: LedgerError.accountNotFound) {
                try await ledger.setLimit(1, of: account.test, on: connection)
            }
            await #expect(throws: LedgerError.accountNotFound) {
                try await ledger.openTestAccount(AccountID(rawValue: 99), on: connection)
            }
        }
    }

    /// What stands behind the program.
    @Test(arguments: [
        "UPDATE accounts SET held = 1 WHERE account_id > 500000000000",
        "UPDATE accounts SET credit_limit = 1 WHERE account_id > 500000000000",
        "UPDATE accounts SET entry_count = 1, chain_head = '1' WHERE account_id > 500000000000",
        "INSERT INTO holds (account_id, campaign_id, batch_no, amount) SELECT account_id, 1, 1, 0 FROM accounts WHERE account_id > 500000000000",
    ]) func `the database refuses credits of test accounts`(_ statement: String) async throws {
        let books = try await Books()
        let isNew = try await books.run { try await $0.openTestAccount($1, on: $2) }
        #expect(isNew)
        let error = await #expect(throws: PostgresError.self) {
            try await books.database.owner.withConnection { try await $0.execute(script: statement) }
        }
        #expect(error?.sqlState == .checkViolation)
    }
}
