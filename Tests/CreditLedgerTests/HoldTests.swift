import CreditLedger
import MailTypes
import Postgres
import Testing

@Suite struct HoldTests {
    @Test func a_reservation_holds_without_spending() async throws {
        let books = try await Books(credits: 100)
        try await books.reserve([(batch: 1, amount: 30), (batch: 2, amount: 20), (batch: 3, amount: 0)])
        #expect(try await books.balance() == CreditBalance(posted: 100, held: 50, limit: 0))
        #expect(try await books.campaignCredits() == CampaignCredits(held: 50, charged: 0, released: 0))
        let entry = try #require(try await books.entries().first)
        #expect((entry.kind, entry.amount, entry.heldAfter) == (.reserve, 50, 50))
        #expect(entry.campaign == Books.campaign(1))
    }

    @Test func missing_credits_are_told_and_nothing_changes() async throws {
        let books = try await Books(credits: 100, limit: 5)
        try await books.reserve([(batch: 1, amount: 90)])
        let before = try await books.entries()
        try await books.run { ledger, account, connection in
            await #expect(throws: LedgerError.insufficientCredits(missing: 1, available: 15)) {
                try await ledger.reserve(
                    [(batch: 1, amount: 10), (batch: 2, amount: 6)], account: account, campaign: Books.campaign(2),
                    on: connection)
            }
            // The same transaction goes on.
            try await ledger.reserve(
                [(batch: 1, amount: 15)], account: account, campaign: Books.campaign(2), on: connection)
        }
        #expect(try await books.entries().dropFirst() == before[...])
        #expect(try await books.balance() == CreditBalance(posted: 100, held: 105, limit: 5))
        #expect(try await books.verify().problemCount == 0)
    }

    @Test func a_batch_is_reserved_once() async throws {
        let books = try await Books(credits: 100)
        try await books.reserve([(batch: 4, amount: 1)])
        for holds: [(batch: Int32, amount: Int64)] in [
            [(batch: 3, amount: 1), (batch: 4, amount: 1)], [(batch: 4, amount: 1), (batch: 5, amount: 1)],
        ] {
            await #expect(throws: LedgerError.holdExists(batch: 4)) { try await books.reserve(holds) }
        }
        await #expect(throws: LedgerError.holdExists(batch: 9)) {
            try await books.reserve([(batch: 9, amount: 1), (batch: 9, amount: 1)])
        }
        await #expect(throws: LedgerError.invalidAmount) { try await books.reserve([]) }
        await #expect(throws: LedgerError.invalidAmount) { try await books.reserve([(batch: 5, amount: -1)]) }
        await #expect(throws: LedgerError.overflow) {
            try await books.reserve([(batch: 5, amount: .max), (batch: 6, amount: .max)])
        }
        // Another campaign's batches have numbers of their own.
        try await books.reserve([(batch: 4, amount: 1)], campaign: 2)
        #expect(try await books.balance().held == 2)
    }

    @Test func a_settlement_charges_carries_and_releases() async throws {
        let books = try await Books(credits: 100)
        try await books.reserve([(batch: 1, amount: 40)])
        let entry = try await books.settle(1, charged: 25, carried: [(batch: 2, amount: 10)])
        #expect((entry.amount, entry.released) == (25, 5))
        #expect((entry.postedBefore, entry.postedAfter) == (100, 75))
        #expect((entry.heldBefore, entry.heldAfter) == (40, 10))
        #expect(try await books.campaignCredits() == CampaignCredits(held: 10, charged: 25, released: 5))
        try await books.settle(2, charged: 0, carried: [(batch: 3, amount: 9)])
        try await books.settle(3, charged: 9)
        #expect(try await books.balance() == CreditBalance(posted: 66, held: 0, limit: 0))
        #expect(try await books.campaignCredits() == CampaignCredits(held: 0, charged: 34, released: 6))
        #expect(try await books.verify().problems == [])
    }

    @Test func a_hold_resolves_once() async throws {
        let books = try await Books(credits: 100)
        try await books.reserve([(batch: 1, amount: 40), (batch: 2, amount: 40)])
        try await books.settle(1, charged: 40)
        try await books.release([2])
        for batch: Int32 in [1, 2] {
            await #expect(throws: LedgerError.holdAlreadyResolved(batch: batch)) {
                try await books.settle(batch, charged: 40)
            }
            await #expect(throws: LedgerError.holdAlreadyResolved(batch: batch)) { try await books.release([batch]) }
        }
        await #expect(throws: LedgerError.holdNotFound(batch: 3)) { try await books.settle(3, charged: 1) }
        await #expect(throws: LedgerError.holdNotFound(batch: 3)) { try await books.release([3]) }
        #expect(try await books.balance() == CreditBalance(posted: 60, held: 0, limit: 0))
    }

    @Test func a_settlement_beyond_its_hold_is_refused() async throws {
        let books = try await Books(credits: 100)
        try await books.reserve([(batch: 1, amount: 10), (batch: 2, amount: 10)])
        await #expect(throws: LedgerError.invalidAmount) { try await books.settle(1, charged: 11) }
        await #expect(throws: LedgerError.invalidAmount) { try await books.settle(1, charged: -1) }
        await #expect(throws: LedgerError.invalidAmount) {
            try await books.settle(1, charged: 5, carried: [(batch: 3, amount: 6)])
        }
        await #expect(throws: LedgerError.invalidAmount) {
            try await books.settle(1, charged: 5, carried: [(batch: 3, amount: -1)])
        }
        await #expect(throws: LedgerError.invalidAmount) {
            try await books.settle(1, charged: 5, carried: [(batch: 3, amount: .max), (batch: 4, amount: .max)])
        }
        await #expect(throws: LedgerError.holdExists(batch: 2)) {
            try await books.settle(1, charged: 5, carried: [(batch: 2, amount: 1)])
        }
        #expect(try await books.balance() == CreditBalance(posted: 100, held: 20, limit: 0))
        #expect(try await books.entries().count == 2)
    }

    @Test func many_batches_settle_together_or_not_at_all() async throws {
        let books = try await Books(credits: 1_000)
        try await books.reserve((1...50).map { (batch: Int32($0), amount: 10) })
        let entries: [LedgerEntry] = try await books.run { ledger, account, connection in
            var settlements: [(batch: Int32, charged: Int64, carried: [(batch: Int32, amount: Int64)])] = []
            for batch: Int32 in 1...40 {
                let carried = batch % 4 == 0 ? [(batch: 100 + batch, amount: 2 as Int64)] : []
                settlements.append((batch: batch, charged: 7, carried: carried))
            }
            return try await ledger.settleMany(
                account: account, campaign: Books.campaign(1), settlements, on: connection)
        }
        #expect(entries.map(\.batch) == (1...40).map { Int32($0) })
        #expect(try await books.campaignCredits() == CampaignCredits(held: 120, charged: 280, released: 100))
        #expect(try await books.balance() == CreditBalance(posted: 720, held: 120, limit: 0))
        await #expect(throws: LedgerError.holdAlreadyResolved(batch: 40)) {
            try await books.run { ledger, account, connection in
                try await ledger.settleMany(
                    account: account, campaign: Books.campaign(1),
                    [(batch: 41, charged: 1, carried: []), (batch: 40, charged: 1, carried: [])], on: connection)
            }
        }
        #expect(try await books.balance() == CreditBalance(posted: 720, held: 120, limit: 0))
        #expect(try await books.verify().problems == [])
    }

    @Test func a_release_gives_back_whole_holds() async throws {
        let books = try await Books(credits: 100)
        try await books.reserve([(batch: 1, amount: 10), (batch: 2, amount: 20), (batch: 3, amount: 30)])
        #expect(try await books.release([1, 3]) == 40)
        #expect(try await books.release([]) == 0)
        await #expect(throws: LedgerError.holdAlreadyResolved(batch: 1)) { try await books.release([2, 1]) }
        #expect(try await books.balance() == CreditBalance(posted: 100, held: 20, limit: 0))
        #expect(try await books.campaignCredits() == CampaignCredits(held: 20, charged: 0, released: 40))
        #expect(try await books.verify().problems == [])
    }

    @Test func keys_make_holds_idempotent() async throws {
        let books = try await Books(credits: 100)
        for _ in 1...2 { try await books.reserve([(batch: 2, amount: 10), (batch: 1, amount: 10)], key: "r") }
        // The order of the holds is no part of the request.
        try await books.reserve([(batch: 1, amount: 10), (batch: 2, amount: 10)], key: "r")
        await #expect(throws: LedgerError.idempotencyConflict) {
            try await books.reserve([(batch: 1, amount: 10)], key: "r")
        }
        let settled = try await books.settle(1, charged: 4, key: "s")
        #expect(try await books.settle(1, charged: 4, key: "s") == settled)
        await #expect(throws: LedgerError.idempotencyConflict) { try await books.settle(1, charged: 5, key: "s") }
        await #expect(throws: LedgerError.idempotencyConflict) { try await books.settle(1, charged: 4, key: "r") }
        for _ in 1...2 { #expect(try await books.release([2], key: "x") == 10) }
        await #expect(throws: LedgerError.idempotencyConflict) { try await books.release([1], key: "x") }
        #expect(try await books.balance() == CreditBalance(posted: 96, held: 0, limit: 0))
        #expect(try await books.entries().count == 4)
    }

    @Test func an_abandoned_transaction_leaves_nothing() async throws {
        struct Abandoned: Error {}
        let books = try await Books(credits: 100)
        await #expect(throws: Abandoned.self) {
            try await books.run { ledger, account, connection in
                try await ledger.reserve(
                    [(batch: 1, amount: 10)], account: account, campaign: Books.campaign(1), on: connection)
                throw Abandoned()
            }
        }
        #expect(try await books.balance() == CreditBalance(posted: 100, held: 0, limit: 0))
        try await books.reserve([(batch: 1, amount: 10)])
        #expect(try await books.entries().map(\.number) == [2, 1])
    }
}
