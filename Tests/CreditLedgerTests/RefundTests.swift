import CreditLedger
import MailTypes
import Postgres
import Testing

@Suite struct RefundTests {
    @Test func `a recipient is refunded once, and all together no more than they cost`() async throws {
        let books = try await Books(credits: 10)
        try await books.reserve([(batch: 1, amount: 4)])
        try await books.settle(1, charged: 3)
        #expect(try await books.refund(1, 2, 1) == 2)
        #expect(try await books.refund(2, 1) == 0)
        #expect(try await books.balance().posted == 9)
        #expect(
            try await books.campaignCredits() == CampaignCredits(held: 0, charged: 3, released: 1, refunded: 2))
        // Three were charged.
        #expect(try await books.refund(3, 4, 5) == 1)
        #expect(try await books.refund(6) == 0)
        #expect(try await books.refund(1, campaign: 2) == 0, "a campaign that was charged nothing")
        let entries = try await books.entries().filter { $0.kind == .refund }
        #expect(entries.map(\.amount) == [1, 1, 1])
        #expect(Set(entries.map(\.recipient)) == Set([1, 2, 3].map { Books.recipient($0) }))
        #expect(try await books.verify().problems == [])
    }

    /// The key is the campaign and the recipient, both of them.
    @Test func `a recipient of two campaigns is refunded in each of them`() async throws {
        let books = try await Books(credits: 10)
        for campaign in [1, 2] as [Int64] {
            try await books.reserve([(batch: 1, amount: 2)], campaign: campaign)
            try await books.settle(1, charged: 2, campaign: campaign)
        }
        #expect(try await books.refund(7) == 1)
        #expect(try await books.refund(7, campaign: 2) == 1)
        #expect(try await books.refund(7) == 0)
        #expect(try await books.refund(7, campaign: 2) == 0)
        #expect(try await books.balance().posted == 8)
        #expect(try await books.verify().problems == [])
    }

    @Test func `refunds at the same moment give one credit`() async throws {
        let books = try await Books(credits: 10)
        try await books.reserve([(batch: 1, amount: 5)])
        try await books.settle(1, charged: 5)
        let given = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<20 { group.addTask { try await books.refund(7) } }
            return try await group.reduce(0, +)
        }
        #expect(given == 1)
        #expect(try await books.balance().posted == 6)
        #expect(try await books.verify().problems == [])
    }

    @Test func `the table takes no second refund, and none that moves more or names nobody`() async throws {
        let books = try await Books(credits: 10)
        try await books.reserve([(batch: 1, amount: 5)])
        try await books.settle(1, charged: 5)
        try await books.refund(1)
        func insert(_ amount: Int, _ recipient: String) -> String {
            """
            INSERT INTO ledger_entries (account_id, entry_no, kind, campaign_id, amount, posted_before, posted_after,
                held_before, held_after, recipient, chain, created_at)
            SELECT account_id, 99, 'refund', 1, \(amount), 0, \(amount), 0, 0, \(recipient), sha256(''), now()
            FROM accounts
            """
        }
        let first = "decode('01010101010101010101010101010101', 'hex')"
        for (statement, state) in [
            (insert(1, first), SQLState.uniqueViolation), (insert(2, "sha256('')"), .checkViolation),
            (insert(1, "NULL"), .checkViolation), (insert(1, "'\\x01'"), .checkViolation),
        ] {
            do {
                try await books.tamper(statement)
                Issue.record("taken: \(statement)")
            } catch let error as PostgresError {
                #expect(error.sqlState == state)
            }
        }
    }

    @Test func `whoever a refund went to, and that it was one too many, cannot be hidden`() async throws {
        let books = try await Books(credits: 10)
        try await books.reserve([(batch: 1, amount: 5)])
        try await books.settle(1, charged: 1)
        try await books.refund(1)
        try await books.tamper(
            """
            UPDATE ledger_entries SET recipient = decode('02020202020202020202020202020202', 'hex')
            WHERE kind = 'refund'
            """)
        #expect(try await books.verify().problems.contains { $0.contains("the chain value is wrong") })
        try await books.tamper("UPDATE ledger_entries SET kind = 'purge', digest = sha256('') WHERE kind = 'nothing'")
        try await books.tamper(
            """
            UPDATE ledger_entries SET amount = 0, posted_after = posted_before, held_after = held_before - 1
            WHERE kind = 'settle'
            """)
        #expect(try await books.verify().problems.contains { $0.contains("more was refunded than charged") })
    }
}

extension Books {
    static func recipient(_ number: UInt8) -> [UInt8] { Array(repeating: number, count: 16) }

    @discardableResult
    func refund(_ recipients: UInt8..., campaign: Int64 = 1) async throws -> Int {
        try await run { ledger, account, connection in
            try await ledger.refund(
                recipients.map { Self.recipient($0) }, account: account, campaign: Self.campaign(campaign),
                on: connection
            ).count
        }
    }
}
