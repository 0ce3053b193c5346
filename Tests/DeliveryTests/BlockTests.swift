import Campaigns
import MailTypes
import SMTPProtocol
import Synchronization
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// A block burns nothing: real mail to a server that refuses its sender.
struct BlockTests {
    private static let block = SMTPReply(
        554, EnhancedStatusCode("5.7.1"), "Client host [192.0.2.1] blocked using a list, <person0@example.org>")

    @Test func `mail that is blocked is taken once the block is lifted, and nobody is suppressed`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, attempt in attempt <= 2 ? .recipient(Self.block) : .accept }
        // Too few for the campaign to be paused.
        let campaign = try await fixture.send(6)
        try await fixture.withEngine(to: server) { _ in
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.delivered == 6)
        }
        for number in 0..<6 { #expect(try await fixture.suppression(of: number) == nil) }
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a campaign that is blocked everywhere is paused, says why, and goes on when it is resumed`()
        async throws
    {
        let fixture = try await DeliveryFixture.make()
        let isBlocked = Mutex(true)
        let server = MailServer { _, _ in isBlocked.withLock(\.self) ? .recipient(Self.block) : .accept }
        let campaign = try await fixture.send(60, batchSize: 60)
        try await fixture.withEngine(to: server) { _ in
            try await eventually("it is paused") {
                try await fixture.service.get(fixture.account, campaign).state == .paused
            }
            let paused = try await fixture.service.get(fixture.account, campaign)
            #expect(paused.counters.bounced == 0)
            let reason = try #require(paused.campaign.pauseReason)
            #expect(reason.contains("554 5.7.1") && reason.contains("blocked using a list"))
            #expect(!reason.contains("person0@example.org"))
            isBlocked.withLock { $0 = false }
            let resumed = try await fixture.service.resume(fixture.account, campaign)
            #expect(resumed.campaign.pauseReason == nil)
            #expect(try await fixture.end(of: campaign).counters.delivered == 60)
        }
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `what stays blocked bounces after its attempts, with the reply`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, _ in .recipient(Self.block) }
        let campaign = try await fixture.send(3)
        try await fixture.withEngine(to: server, { $0.refusals.mostAttempts = 3 }) { _ in
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.bounced == 3)
        }
        #expect(server.attempts.values.allSatisfy { $0 == 3 })
        #expect(try await fixture.suppression(of: 0) == nil)
    }

    @Test func `with soft bounces an unknown mailbox is tried again`() async throws {
        let fixture = try await DeliveryFixture.make()
        let unknown = SMTPReply(550, EnhancedStatusCode("5.1.1"), "No such user")
        let server = MailServer { _, attempt in attempt <= 2 ? .recipient(unknown) : .accept }
        let campaign = try await fixture.send(3)
        try await fixture.withEngine(to: server, { $0.refusals.isSoft = true }) { _ in
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.delivered == 3)
        }
        #expect(try await fixture.suppression(of: 0) == nil)
    }
}
