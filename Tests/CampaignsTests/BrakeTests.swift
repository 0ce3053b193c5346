import Feedback
import Logging
import MailTypes
import Postgres
import TestDatabases
import TestSupport
import Testing
import Vault

@testable import Campaigns

/// Complaints and bounces brake campaigns, over real counts.
struct BrakeTests {
    private static func keeper(_ fixture: CampaignFixture, hours: Int = 24) -> BrakeKeeper {
        BrakeKeeper(
            records: fixture.records.pool,
            brake: ComplaintBrake(
                complaints: ComplaintBrake.standard.complaints, hardBounces: ComplaintBrake.standard.hardBounces,
                leastVolume: 100),
            hours: hours, slowRate: 60, logger: .silent)
    }

    /// As if so many mails of a campaign had been delivered within this hour.
    private static func delivered(_ count: Int64, _ campaign: CampaignID, _ fixture: CampaignFixture) async throws {
        try await fixture.records.pool.withConnection { connection in
            try await FeedbackHours.add(
                [(fixture.account, campaign, ComplaintBrake.Counts(delivered: count))], on: connection)
        }
    }

    /// As if a provider had taken so many of them.
    private static func delivered(
        _ count: Int64, at provider: String, _ campaign: CampaignID, _ fixture: CampaignFixture
    ) async throws {
        try await delivered(count, campaign, fixture)
        try await fixture.records.pool.withConnection { connection in
            try await ProviderHours.add(
                [provider: ComplaintBrake.Counts(delivered: count)], of: fixture.account, campaign, on: connection)
        }
    }

    /// Complaints of different recipients come in, each several times.
    private static func complain(
        _ persons: Range<Int>, _ campaign: CampaignID, _ fixture: CampaignFixture, _ fact: FeedbackFact = .complaint,
        at provider: String? = nil
    ) async throws {
        let intake = FeedbackIntake(records: fixture.records.pool, followers: [BrakeFollower()])
        let keys = try await fixture.vault.accountKeys(fixture.account)
        let events = try persons.map { person in
            let address = try EmailAddress("person\(person)@example.org")
            var event = FeedbackEvent(
                RecipientToken(
                    account: fixture.account, campaign: campaign,
                    fingerprint: keys.fingerprinter.fingerprint(address)), fact, by: .report, reason: "abuse")
            event.mailboxProvider = provider
            return event
        }
        for _ in 0..<3 { try await intake.take(events) }
    }

    /// Stands for the account as a whole.
    private static let whole = CampaignID(rawValue: 0)

    /// Of a week: those of campaigns, and of the account.
    private static func counts(
        _ campaigns: [CampaignID], _ fixture: CampaignFixture
    ) async throws -> [CampaignID: ComplaintBrake.Counts] {
        try await fixture.records.pool.withConnection { connection in
            try await FeedbackHours.campaigns(campaigns + [whole], of: fixture.account, hours: 168, on: connection)
        }
    }

    private static func sending(_ fixture: CampaignFixture, rate: Int? = nil) async throws -> CampaignID {
        let campaign = try await fixture.sent(6, batchSize: 3)
        if let rate {
            try await fixture.records.owner.query("UPDATE campaigns SET rate_per_hour = \(Int32(rate))")
        }
        return campaign
    }

    @Test func `a campaign is warned of, slowed and paused, and counts anew when it is resumed`() async throws {
        let fixture = try await CampaignFixture.make()
        let keeper = Self.keeper(fixture)
        let campaign = try await Self.sending(fixture, rate: 5_000)
        try await Self.delivered(3_000, campaign, fixture)
        #expect(try await keeper.look() == [])
        try await Self.complain(0..<3, campaign, fixture)
        #expect(try await keeper.look().map(\.level) == [.warn])
        #expect(try await keeper.look() == [])
        var status = try await fixture.status(campaign)
        #expect(
            status.brake?.level == .warn && status.brake?.cause == .complaints && status.brake?.isOfAccount == false)
        #expect(status.brake?.counts == .init(delivered: 3_000, complaints: 3))
        #expect(status.campaign.ratePerHour == 5_000)

        try await Self.complain(0..<6, campaign, fixture)
        #expect(try await keeper.look().map(\.level) == [.slow])
        #expect(try await fixture.status(campaign).campaign.ratePerHour == 60)
        #expect(try await fixture.store.brakes() == [.slow: 1])

        try await Self.complain(0..<9, campaign, fixture)
        #expect(try await keeper.look().map(\.level) == [.pause])
        status = try await fixture.status(campaign)
        #expect(status.state == .paused && status.brake?.level == .pause)
        #expect(
            status.campaign.pauseReason?.hasPrefix("9 of its 3000 delivered messages in 24 hours were called spam")
                == true)
        #expect(status.campaign.ratePerHour == 5_000)
        #expect(try await keeper.look() == [])

        _ = try await fixture.service.resume(fixture.account, campaign)
        #expect(try await keeper.look() == [])
        // With what was counted before, these were 12 of 12,000, and a warning.
        try await Self.delivered(9_000, campaign, fixture)
        try await Self.complain(9..<12, campaign, fixture)
        #expect(try await keeper.look() == [])
        #expect(try await fixture.status(campaign).state == .sending)
    }

    @Test func `a slowed campaign gets its rate back when the share falls`() async throws {
        let fixture = try await CampaignFixture.make()
        let keeper = Self.keeper(fixture)
        let campaign = try await Self.sending(fixture)
        try await Self.delivered(2_000, campaign, fixture)
        try await Self.complain(0..<4, campaign, fixture)
        #expect(try await keeper.look().map(\.level) == [.slow])
        #expect(try await fixture.status(campaign).campaign.ratePerHour == 60)
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 8).count == 1)
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 8).isEmpty)
        try await Self.delivered(100_000, campaign, fixture)
        #expect(try await keeper.look().map(\.level) == [.none])
        let status = try await fixture.status(campaign)
        #expect(status.campaign.ratePerHour == nil && status.brake == nil)
        #expect(try await keeper.look() == [])
        #expect(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 8).count == 1)
    }

    @Test func `late complaints of an old campaign do not pause a small new one`() async throws {
        let fixture = try await CampaignFixture.make()
        let keeper = Self.keeper(fixture)
        let old = try await Self.sending(fixture)
        try await Self.delivered(1_000_000, old, fixture)
        try await fixture.records.owner.query("UPDATE feedback_hours SET hour = hour - interval '50 hours'")
        let new = try await Self.sending(fixture)
        try await Self.delivered(600, new, fixture)
        try await Self.complain(0..<20, old, fixture)
        try await Self.complain(20..<40, old, fixture, .hardBounce)
        #expect(try await keeper.look() == [])
        #expect(try await Self.keeper(fixture, hours: 168).look() == [])
        let counted = try await Self.counts([old, new], fixture)
        let expected: [CampaignID: ComplaintBrake.Counts] = [
            old: .init(delivered: 1_000_000, hardBounces: 20, complaints: 20), new: .init(delivered: 600),
            Self.whole: .init(delivered: 1_000_600, hardBounces: 20, complaints: 20),
        ]
        #expect(counted == expected)

        // After an upgrade or a restart nothing is known of the old one.
        try await fixture.records.owner.query("DELETE FROM feedback_hours WHERE campaign_id = \(old.rawValue)")
        try await Self.complain(40..<60, old, fixture)
        let left = try await Self.counts([old], fixture)
        #expect(left[old] == nil && left[Self.whole] == expected[Self.whole])
        #expect(try await Self.keeper(fixture, hours: 168).look() == [])
        try await Self.complain(60..<63, new, fixture)
        let own = try await Self.counts([new], fixture)[new]
        #expect(own == ComplaintBrake.Counts(delivered: 600, complaints: 3))
        let levels = Set(try await keeper.look().map(\.level))
        #expect(levels == [.pause])
    }

    @Test func `what lies before the window does not count`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await Self.sending(fixture)
        try await Self.delivered(1_000, campaign, fixture)
        try await Self.complain(0..<3, campaign, fixture)
        try await fixture.records.owner.query("UPDATE feedback_hours SET hour = hour - interval '5 hours'")
        #expect(try await Self.keeper(fixture, hours: 4).look() == [])
        #expect(try await Self.keeper(fixture, hours: 6).look().map(\.level) == [.pause])
        // The pause has begun the counts anew.
        try await Self.delivered(1_000, campaign, fixture)
        try await fixture.records.owner.query("UPDATE feedback_hours SET hour = hour - interval '200 hours'")
        #expect(try await FeedbackHours.sweep(on: fixture.records.pool) > 0)
        #expect(try await FeedbackHours.sweep(on: fixture.records.pool) == 0)
    }

    @Test func `an account's campaigns together brake each of them, and no other account's`() async throws {
        let fixture = try await CampaignFixture.make()
        let keeper = Self.keeper(fixture)
        var campaigns: [CampaignID] = []
        for place in 0..<3 {
            let campaign = try await Self.sending(fixture)
            try await Self.delivered(90, campaign, fixture)
            try await Self.complain(place..<(place + 1), campaign, fixture)
            campaigns.append(campaign)
        }
        let other = try await fixture.account("second", credits: 10)
        let foreign = try await fixture.sent(2, account: other)
        let braked = try await keeper.look().map(\.campaign)
        #expect(Set(braked) == Set(campaigns))
        for campaign in campaigns { #expect(try await fixture.status(campaign).state == .paused) }
        #expect(try await fixture.service.get(other, foreign).state == .queued)
    }

    @Test func `settled batches count what was delivered and what does not exist`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(120, batchSize: 120)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        // Thirteen do not exist, and one is only full.
        let outcomes: [Int32: Outcome] = .init(
            uniqueKeysWithValues: batch.records.map { ($0.index, $0.index < 14 ? .bounced : .delivered) })
        let entries = outcomes.sorted { $0.key < $1.key }.flatMap { index, outcome in
            [
                JournalEntry(index: index, kind: .intent),
                JournalEntry(
                    index: index, kind: .outcome(outcome), replyCode: outcome == .bounced ? 550 : 250,
                    enhanced: outcome == .bounced ? EnhancedStatusCode(index == 13 ? "5.2.2" : "5.1.1") : nil,
                    text: outcome == .bounced ? (index == 13 ? "mailbox full" : "no such user") : "ok"),
            ]
        }
        _ = try await fixture.store.append(
            node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
        let running = try await fixture.sent(3, batchSize: 3)
        _ = try await fixture.store.settle(
            batch.id, node: "n", epoch: batch.epoch,
            BatchSettlement(results: outcomes.map { RecipientResult(index: $0.key, outcome: $0.value) }))
        let counts = try await fixture.records.pool.withConnection { connection in
            try await FeedbackHours.campaigns([campaign], of: fixture.account, hours: 24, on: connection)
        }
        #expect(counts == [campaign: .init(delivered: 106, hardBounces: 13)])
        // The campaign is over; the account's other one is braked by the account's counts.
        let keeper = Self.keeper(fixture)
        let braked = try await keeper.look().map(\.campaign)
        #expect(braked.contains(running))
        let reason = try await fixture.status(running).campaign.pauseReason
        #expect(
            reason?.hasPrefix("13 of the account's 119 messages in 24 hours went to addresses that do not exist")
                == true)
    }

    @Test func `what one provider's users say brakes the campaign that goes there, however much goes elsewhere`()
        async throws
    {
        let fixture = try await CampaignFixture.make()
        let keeper = Self.keeper(fixture)
        let campaign = try await Self.sending(fixture, rate: 5_000)
        let other = try await Self.sending(fixture)
        try await Self.delivered(100_000, at: "gmail", campaign, fixture)
        try await Self.delivered(2_000, at: "yahoo", campaign, fixture)
        try await Self.complain(0..<3, campaign, fixture, at: "yahoo")
        #expect(try await keeper.look().map(\.level) == [.warn])
        var brake = try #require(try await fixture.status(campaign).brake)
        #expect((brake.level, brake.provider, brake.isOfAccount) == (.warn, "yahoo", false))
        #expect(brake.counts == .init(delivered: 2_000, complaints: 3))

        try await Self.complain(3..<5, campaign, fixture, at: "yahoo")
        #expect(try await keeper.look().map(\.level) == [.slow])
        #expect(try await fixture.status(campaign).campaign.ratePerHour == 60)
        try await Self.complain(5..<6, campaign, fixture, at: "yahoo")
        #expect(try await keeper.look() == [.init(account: fixture.account, campaign: campaign, level: .pause)])
        let status = try await fixture.status(campaign)
        #expect(
            status.campaign.pauseReason?.hasPrefix("6 of its 2000 delivered messages at yahoo in 24 hours were called")
                == true)
        #expect(try await fixture.status(other).state == .queued)
        // A pause begins these counts anew too.
        _ = try await fixture.service.resume(fixture.account, campaign)
        #expect(try await keeper.look() == [])
        #expect(try await fixture.service.mailboxProviders(fixture.account, campaign, hours: 24).isEmpty)
        brake = try #require(try await fixture.status(campaign).brake)
        #expect(brake.provider == "yahoo")
    }

    @Test func `few mails at a provider brake nothing, and one that took none is not believed`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await Self.sending(fixture)
        try await Self.delivered(100_000, at: "gmail", campaign, fixture)
        try await Self.delivered(99, at: "yahoo", campaign, fixture)
        try await Self.complain(0..<9, campaign, fixture, at: "yahoo")
        try await Self.complain(9..<19, campaign, fixture, at: "elsewhere")
        try await Self.complain(19..<29, campaign, fixture, .hardBounce, at: "gmail")
        #expect(try await Self.keeper(fixture).look() == [])
        let found = try await fixture.service.mailboxProviders(fixture.account, campaign, hours: 24)
        #expect(found.map(\.provider) == ["gmail", "yahoo"])
        #expect(
            found.map(\.counts) == [
                .init(delivered: 100_000, hardBounces: 10), .init(delivered: 99, complaints: 9),
            ])
        let stranger = try await fixture.account("second", credits: 10)
        #expect(try await fixture.service.mailboxProviders(stranger, nil, hours: 24).isEmpty)
        await #expect(throws: CampaignError.self) {
            try await fixture.service.mailboxProviders(stranger, campaign, hours: 24)
        }
        #expect(try await fixture.store.mailboxProviders(hours: 24).map(\.provider) == ["gmail", "yahoo"])
        try await fixture.records.owner.query("UPDATE feedback_by_provider SET hour = hour - interval '5 hours'")
        #expect(try await fixture.service.mailboxProviders(fixture.account, nil, hours: 4).isEmpty)
        #expect(try await fixture.service.mailboxProviders(fixture.account, nil, hours: 6).count == 2)
        #expect(try await ProviderHours.sweep(on: fixture.records.pool) == 0)
        try await fixture.records.owner.query("UPDATE feedback_by_provider SET hour = hour - interval '200 hours'")
        #expect(try await ProviderHours.sweep(on: fixture.records.pool) == 2)
    }

    @Test func `a settlement counts by the provider that answered`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.sent(4, batchSize: 4)
        let batch = try #require(try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 1).first)
        let refusal = RecipientReply(code: 550, enhanced: EnhancedStatusCode("5.1.1"), text: "no such user")
        let outcomes: [Int32: Outcome] = [0: .delivered, 1: .delivered, 2: .bounced, 3: .delivered]
        let entries = outcomes.sorted { $0.key < $1.key }.flatMap { index, outcome in
            [
                JournalEntry(index: index, kind: .intent),
                JournalEntry(
                    index: index, kind: .outcome(outcome), reply: outcome == .bounced ? refusal : .none),
            ]
        }
        _ = try await fixture.store.append(
            node: "n", [JournalGroup(batch: batch.id, epoch: batch.epoch, entries: entries)])
        var settlement = BatchSettlement(results: outcomes.map { RecipientResult(index: $0.key, outcome: $0.value) })
        // Of the last one only the journal knew.
        settlement.providers = [0: "gmail", 1: "yahoo", 2: "yahoo"]
        _ = try await fixture.store.settle(batch.id, node: "n", epoch: batch.epoch, settlement)
        let found = try await fixture.service.mailboxProviders(fixture.account, campaign, hours: 24)
        #expect(found.map(\.provider) == ["gmail", "yahoo"])
        #expect(found.map(\.counts) == [.init(delivered: 1), .init(delivered: 1, hardBounces: 1)])
    }

    @Test func `several nodes that look at once pause once`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await Self.sending(fixture)
        try await Self.delivered(1_000, campaign, fixture)
        try await Self.complain(0..<5, campaign, fixture)
        let keeper = Self.keeper(fixture)
        let actions = try await withThrowingTaskGroup(of: [BrakeKeeper.Action].self) { group in
            for _ in 0..<4 { group.addTask { try await keeper.look() } }
            var all: [BrakeKeeper.Action] = []
            for try await found in group { all += found }
            return all
        }
        #expect(actions.map(\.level) == [.pause])
        #expect(try await fixture.status(campaign).state == .paused)
    }
}
