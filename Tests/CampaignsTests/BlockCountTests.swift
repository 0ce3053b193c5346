import Campaigns
import MailTypes
import Postgres
import TestDatabases
import Testing

/// What nodes tell of blocks, and what becomes of it.
struct BlockCountTests {
    private static let reply = CampaignBlock.Reply(code: 554, enhanced: EnhancedStatusCode("5.7.1"))

    /// - Parameter blocks: of the answers, all to first attempts.
    private static func heard(
        _ campaign: CampaignID, of fixture: CampaignFixture, answers: Int, blocks: Int = 0,
        reply: CampaignBlock.Reply = reply,
        text: String = "blocked"
    ) -> CampaignAnswers {
        var heard = CampaignAnswers(fixture.account, campaign)
        for number in 0..<answers {
            heard.add(isFirstAttempt: true, block: number < blocks ? (reply, text) : nil)
        }
        return heard
    }

    @Test func `what nodes heard of a campaign's first attempts adds up, and older answers count less`() async throws {
        let fixture = try await CampaignFixture.make()
        let (campaign, other) = (try await fixture.sent(1), try await fixture.sent(1))
        func count(_ heard: CampaignAnswers...) async throws -> [CampaignID: [Double]] {
            Dictionary(
                uniqueKeysWithValues: try await fixture.store.count(heard, memory: 100).counts.map {
                    ($0.campaign, [$0.answers, $0.blocks])
                })
        }
        let first = try await count(
            Self.heard(campaign, of: fixture, answers: 30, blocks: 12), Self.heard(other, of: fixture, answers: 5))
        #expect(first == [campaign: [30, 12], other: [5, 0]])
        var late = Self.heard(campaign, of: fixture, answers: 20, blocks: 8)
        late.add(isFirstAttempt: false, block: (Self.reply, "still blocked"))
        #expect(try await count(late) == [campaign: [50, 20]])
        #expect(try await count(Self.heard(campaign, of: fixture, answers: 150)) == [campaign: [50, 5]])
        #expect(try await fixture.status(campaign).blocks.map(\.count) == [21])
        #expect(try await count().isEmpty)
    }

    @Test func `a campaign tells by which replies it is blocked, the most frequent first`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(1)
        let plain = CampaignBlock.Reply(code: 550, enhanced: nil)
        for text in ["first", "second"] {
            _ = try await fixture.store.count(
                [Self.heard(campaign, of: fixture, answers: 3, blocks: 2, text: text)], memory: 1_000)
        }
        _ = try await fixture.store.count(
            [Self.heard(campaign, of: fixture, answers: 1, blocks: 1, reply: plain)], memory: 1_000)
        let blocks = try await fixture.status(campaign).blocks
        #expect(blocks.map(\.reply) == [Self.reply, plain])
        #expect(blocks.map(\.count) == [4, 1])
        #expect(blocks.map(\.text) == ["second", "blocked"])
        #expect(blocks.allSatisfy { $0.firstAt <= $0.lastAt && $0.firstAt > 0 })
    }

    @Test(.timeLimit(.minutes(1))) func `answers of others are counted while somebody holds rows of an account`()
        async throws
    {
        let fixture = try await CampaignFixture.make()
        let other = try await fixture.account("other", credits: 10)
        let (first, second) = (try await fixture.sent(1), try await fixture.sent(1))
        let free = try await fixture.sent(1, account: other)
        var heard = [first, second].map { Self.heard($0, of: fixture, answers: 2, blocks: 1) }
        heard.append(CampaignAnswers(other, free))
        heard[2].add(isFirstAttempt: true, block: (Self.reply, "blocked"))
        _ = try await fixture.store.count(heard, memory: 100)
        let held = try await fixture.records.owner.withTransaction { connection in
            try await connection.query(
                "SELECT FROM campaign_answers WHERE account_id = \(fixture.account.rawValue) FOR UPDATE")
            return try await fixture.store.count(heard, memory: 100)
        }
        #expect(held.counts.map(\.campaign) == [free] && held.counts.map(\.blocks) == [2])
        #expect(Set(held.held.map(\.campaign)) == [first, second])
        let told = try await fixture.store.count(held.held, memory: 100)
        #expect(told.held.isEmpty && told.counts.map(\.answers) == [4, 4])
        #expect(try await fixture.service.get(other, free).blocks.map(\.count) == [2])
        #expect(try await fixture.status(first).blocks.map(\.count) == [2])
    }

    @Test(.timeLimit(.minutes(1))) func `what was added before the database refused the rest is not added again`()
        async throws
    {
        let fixture = try await CampaignFixture.make()
        let free = try await fixture.sent(1)
        let others = [
            try await fixture.account("held", credits: 10), try await fixture.account("refused", credits: 10),
        ]
        var heard = [Self.heard(free, of: fixture, answers: 2, blocks: 1)]
        for account in others {
            heard.append(CampaignAnswers(account, try await fixture.sent(1, account: account)))
            heard[heard.count - 1].add(isFirstAttempt: true, block: (Self.reply, "blocked"))
        }
        _ = try await fixture.store.count(heard, memory: 100)
        try await fixture.records.owner.query(
            """
            ALTER TABLE campaign_answers ADD CONSTRAINT refusal
            CHECK (account_id <> \(unescaped: "\(others[1])") OR answers < 2)
            """)
        let result = try await fixture.records.owner.withTransaction { connection in
            try await connection.query(
                "SELECT FROM campaign_answers WHERE account_id = \(others[0].rawValue) FOR UPDATE")
            return try await fixture.store.count(heard, memory: 100)
        }
        #expect(result.counts.map(\.campaign) == [free] && result.counts.map(\.answers) == [4])
        #expect(result.held.map(\.account) == others)
        try await fixture.records.owner.query("ALTER TABLE campaign_answers DROP CONSTRAINT refusal")
        let told = try await fixture.store.count(result.held, memory: 100)
        #expect(told.held.isEmpty && told.counts.map(\.answers) == [2, 2])
        #expect(try await fixture.status(free).blocks.map(\.count) == [2])
    }

    @Test func `a receiver that makes up replies fills no table`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(1)
        for detail in 0..<60 {
            let reply = CampaignBlock.Reply(code: 550, enhanced: EnhancedStatusCode("5.7.\(detail)"))
            _ = try await fixture.store.count(
                [Self.heard(campaign, of: fixture, answers: 1, blocks: 1, reply: reply)], memory: 1_000)
        }
        #expect(try await fixture.status(campaign).blocks.count == 20)
    }

    @Test func `a resumed campaign is judged anew, and keeps what it met`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(1)
        let heard = Self.heard(campaign, of: fixture, answers: 30, blocks: 25)
        _ = try await fixture.store.count([heard], memory: 1_000)
        #expect(try await fixture.store.pause(fixture.account, campaign, reason: "blocked"))
        #expect(try await fixture.store.pause(fixture.account, campaign, reason: "again") == false)
        let resumed = try await fixture.service.resume(fixture.account, campaign)
        #expect(resumed.blocks.map(\.count) == [25])
        let all = try await fixture.store.count([Self.heard(campaign, of: fixture, answers: 1)], memory: 1_000).counts
        #expect(all.map(\.answers) == [1] && all.map(\.blocks) == [0])
    }

    @Test func `with the data of a campaign go the words of its blocks; codes and counts stay`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(1)
        _ = try await fixture.store.count([Self.heard(campaign, of: fixture, answers: 9, blocks: 7)], memory: 1_000)
        _ = try await fixture.service.cancel(fixture.account, campaign)
        let status = try await fixture.status(campaign)
        #expect(status.campaign.purgedAt != nil)
        #expect(status.blocks.map(\.count) == [7] && status.blocks.map(\.text) == [""])
        // Whoever is late is not heard.
        #expect(
            try await fixture.store.count([Self.heard(campaign, of: fixture, answers: 1, blocks: 1)], memory: 9).counts
                .isEmpty
        )
        #expect(try await fixture.status(campaign).blocks.map(\.count) == [7])
        let left = try await fixture.records.owner.query("SELECT FROM campaign_answers").count
        #expect(left == 0)
    }
}
