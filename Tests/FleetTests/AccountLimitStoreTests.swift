import Fleet
import MailTypes
import Postgres
import TestDatabases
import TestStores
import Testing

@Suite struct AccountLimitStoreTests {
    @Test func `limits are set, changed and taken back, each for its account`() async throws {
        let stores = try await Stores.open()
        let (first, second) = (try await stores.account("a", credits: 0), try await stores.account("b", credits: 0))
        let pool = stores.records.pool
        func change(_ account: AccountID, _ values: [AccountLimit: Int], _ reset: Set<AccountLimit> = []) async throws {
            try await pool.withTransaction { try await FleetStore.set(values, reset: reset, for: account, on: $0) }
        }
        #expect(try await FleetStore.limits(on: pool).isEmpty)
        try await change(first, [.drafts: 5, .bodyBytes: 134_217_728])
        try await change(second, [.drafts: 0])
        try await change(first, [.drafts: 6])
        #expect(
            try await FleetStore.limits(on: pool) == [
                first: [.drafts: 6, .bodyBytes: 134_217_728], second: [.drafts: 0],
            ])
        try await change(first, [.keys: 3], [.drafts, .webhooks])
        #expect(try await FleetStore.limits(on: pool)[first] == [.bodyBytes: 134_217_728, .keys: 3])
    }

    @Test func `a new test account has the limits that its account still has as a stranger's`() async throws {
        let stores = try await Stores.open()
        let (stranger, customer) = (
            try await stores.account("a", credits: 0), try await stores.account("b", credits: 0)
        )
        let pool = stores.records.pool
        try await pool.withTransaction { connection in
            try await FleetStore.set(AccountLimit.ofStrangers, reset: [], for: stranger, on: connection)
            try await FleetStore.set([.domains: 50], reset: [.keys], for: stranger, on: connection)
            try await FleetStore.set([.campaigns: 50_000], reset: [], for: customer, on: connection)
        }
        var expected = AccountLimit.ofStrangers
        expected[.domains] = nil
        expected[.keys] = nil
        for account in [stranger, customer] {
            try await pool.withTransaction { try await stores.openTestAccount(account, $0) }
        }
        #expect(try await FleetStore.limits(on: pool)[stranger.test] == expected)
        #expect(try await FleetStore.limits(on: pool)[customer.test] == nil)
        // What is lifted stays lifted when another key is made.
        try await pool.withTransaction { connection in
            try await FleetStore.set([:], reset: Set(AccountLimit.allCases), for: stranger.test, on: connection)
            try await stores.openTestAccount(stranger, connection)
        }
        #expect(try await FleetStore.limits(on: pool)[stranger.test] == nil)
    }

    @Test func `what a newer version has set is passed over, and what is too much is cut`() async throws {
        let stores = try await Stores.open()
        let account = try await stores.account("a", credits: 0)
        for (name, value) in [("of_a_later_version", 1), ("requests", 1_000), ("uploads", 5)] {
            try await stores.records.owner.query(
                """
                INSERT INTO account_limits (account_id, name, value)
                VALUES (\(account.rawValue), \(name), \(Int64(value)))
                """)
        }
        #expect(try await FleetStore.limits(on: stores.records.pool) == [account: [.requests: 8, .uploads: 5]])
    }

    @Test func `there is nothing for an account that is not there`() async throws {
        let stores = try await Stores.open()
        await #expect(throws: PostgresError.self) {
            try await stores.records.pool.withTransaction {
                try await FleetStore.set([.drafts: 1], reset: [], for: AccountID(rawValue: 4_711), on: $0)
            }
        }
    }
}
