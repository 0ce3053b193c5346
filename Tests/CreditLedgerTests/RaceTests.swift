import CreditLedger
import MailTypes
import Postgres
import Testing

@Suite struct RaceTests {
    @Test func a_thousand_parallel_spends_of_five_hundred_credits_succeed_five_hundred_times() async throws {
        let books = try await Books(credits: 500)
        let succeeded = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 1...1_000 {
                group.addTask {
                    do {
                        try await books.reserve([(batch: 1, amount: 1)], campaign: Int64(number))
                        return true
                    } catch LedgerError.insufficientCredits(missing: 1, available: 0) {
                        return false
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(succeeded == 500)
        #expect(try await books.balance() == CreditBalance(posted: 500, held: 500, limit: 0))
        let result = try await books.verify()
        #expect(result.problems == [])
        #expect(result.entries == 501)
    }

    @Test func of_two_campaigns_that_race_for_the_last_credits_one_wins() async throws {
        for round in 1...10 {
            let books = try await Books(credits: 100)
            async let first: Void = books.reserve((1...6).map { (batch: $0, amount: 10) }, campaign: 1)
            async let second: Void = books.reserve((1...6).map { (batch: $0, amount: 10) }, campaign: 2)
            var wins = 0
            do { try await first; wins += 1 } catch LedgerError.insufficientCredits(missing: 20, available: 40) {}
            do { try await second; wins += 1 } catch LedgerError.insufficientCredits(missing: 20, available: 40) {}
            #expect(wins == 1, "round \(round)")
            #expect(try await books.balance().held == 60)
        }
    }

    @Test func parallel_settlements_of_one_batch_charge_once() async throws {
        let books = try await Books(credits: 100)
        try await books.reserve([(batch: 1, amount: 100)])
        let settled = try await withThrowingTaskGroup(of: Bool.self) { group in
            for charged in 1...20 {
                group.addTask {
                    do {
                        try await books.settle(1, charged: Int64(charged))
                        return true
                    } catch LedgerError.holdAlreadyResolved(batch: 1) {
                        return false
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(settled == 1)
        #expect(try await books.verify().problems == [])
    }

    @Test func parallel_grants_under_one_key_grant_once() async throws {
        let books = try await Books()
        let entries = try await withThrowingTaskGroup(of: LedgerEntry.self) { group in
            for _ in 1...20 {
                group.addTask { try await books.run { try await $0.grant(5, to: $1, key: "once", on: $2) } }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(entries.count == 1)
        #expect(try await books.balance().posted == 5)
    }

    @Test func a_large_campaign_reserves_and_settles_set_wise() async throws {
        let books = try await Books(credits: 10_000_000)
        try await books.reserve((1...10_000).map { (batch: $0, amount: 1_000) })
        try await books.run { ledger, account, connection in
            _ = try await ledger.settleMany(
                account: account, campaign: Books.campaign(1),
                (1...1_000).map { (batch: $0, charged: 990, carried: []) }, on: connection)
        }
        #expect(try await books.release((1_001...10_000).map { $0 }) == 9_000_000)
        #expect(try await books.balance() == CreditBalance(posted: 9_010_000, held: 0, limit: 0))
        #expect(try await books.verify().problems == [])
    }
}
