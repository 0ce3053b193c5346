import Campaigns
import MailTypes
import Postgres
import SMTPProtocol
import TestDatabases
import TestPeers
import Testing
import TrafficShaping

@testable import Delivery

/// What the expiry of a campaign does, wherever its mail waits.
struct ExpiryTests {
    private static let full = SMTPReply(452, EnhancedStatusCode("4.2.2"), "Mailbox full")

    /// The campaign gives up in so many seconds.
    private static func expire(_ campaign: CampaignID, inSeconds seconds: Double, _ fixture: DeliveryFixture)
        async throws
    {
        try await fixture.records.owner.query(
            """
            UPDATE campaigns SET expires_at = clock_timestamp() + make_interval(secs => \(seconds))
            WHERE campaign_id = \(campaign.rawValue)
            """)
    }

    @Test func `who waits for a late retry is tried once more at the expiry, and ends then`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, _ in .recipient(Self.full) }
        let campaign = try await fixture.send(3)
        try await Self.expire(campaign, inSeconds: 6, fixture)
        try await fixture.withEngine(
            to: server, { $0.retry = RetrySchedule(baseSeconds: 3_600, maximumSeconds: 36_000) }
        ) { _ in
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.expired == 3)
            let ended = try #require(status.campaign.completedAt)
            let expiry = try #require(status.campaign.expiresAt)
            #expect(ended >= expiry)
        }
        #expect(server.attempts.values.sorted() == [2, 2, 2])
    }

    @Test func `a campaign that expired while no node ran has one attempt at everybody`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer(offersPipelining: false) { address, _ in
            address == DeliveryFixture.address(2) ? .recipient(Self.full) : .accept
        }
        let campaign = try await fixture.send(6)
        try await fixture.expire(campaign)
        try await fixture.withEngine(to: server) { _ in
            let counters = try await fixture.end(of: campaign).counters
            #expect((counters.delivered, counters.expired) == (5, 1))
        }
        #expect(server.attempts.values.allSatisfy { $0 == 1 } && server.attempts.count == 6)
    }

    @Test func `a campaign at a rate of its own is not sent at once because it expires`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        let campaign = try await fixture.send(6, ratePerHour: 60)
        try await fixture.expire(campaign)
        try await fixture.withEngine(to: server) { _ in
            let counters = try await fixture.end(of: campaign).counters
            #expect(counters.expired == 6)
        }
        #expect(server.attempts == [:])
    }

    @Test func `accounts that have reached their cap get their expired batches all the same`() async throws {
        let fixture = try await DeliveryFixture.make()
        let campaign = try await fixture.send(4)
        #expect(
            try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 4, waiting: [fixture.account]).isEmpty)
        try await fixture.expire(campaign)
        let claimed = try await fixture.store.claim(
            node: "n", leaseSeconds: 60, limit: 4, waiting: [fixture.account])
        #expect(claimed.map(\.isExpired) == [true])
        #expect(
            try await fixture.store.claim(node: "m", leaseSeconds: 60, limit: 4, waiting: [fixture.account]).isEmpty)
    }

    @Test func `who waits for an allowance or a site is told so at the end`() {
        #expect(
            RequeueReason.allowance.endReply.text == "the allowance of the warm-up did not reach it before the expiry")
        #expect(RequeueReason.site.endReply.text == "its site took no more mail before the expiry")
        #expect(Set(RequeueReason.allCases.map(\.endReply.text)).count == RequeueReason.allCases.count)
        #expect(RequeueReason.allCases.allSatisfy { $0.endReply.enhanced == EnhancedStatusCode("4.4.7") })
    }
}
