import Fleet
import MailTypes
import Postgres
import TestDatabases
import TestStores
import Testing

/// What the operator sets for the mail of accounts.
struct AccountShapingTests {
    @Test func `what is set takes the place of what was, for this account alone`() async throws {
        let stores = try await Stores.open()
        let (one, two) = (
            try await stores.account("one", credits: 0), try await stores.account("two", credits: 0)
        )
        func set(_ shaping: AccountShaping) async throws {
            try await stores.records.pool.withConnection { try await FleetStore.set(shaping, for: one, on: $0) }
        }
        func shaping(_ account: AccountID) async throws -> AccountShaping? {
            try await stores.records.pool.withConnection { try await FleetStore.shaping(of: account, on: $0) }
        }
        #expect(try await stores.fleet.shapings() == [:])
        let first = AccountShaping(weight: 7, rate: 2.5, pool: "own", campaignPools: ["news", "receipts"])
        try await set(first)
        #expect(try await stores.fleet.shapings() == [one: first])
        try await set(AccountShaping(weight: 2))
        #expect(try await shaping(one) == AccountShaping(weight: 2))
        #expect(try await shaping(two) == nil)
    }
}
