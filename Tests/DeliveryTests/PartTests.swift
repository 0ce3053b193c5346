import Campaigns
import CreditLedger
import Delivery
import MailTypes
import SMTPProtocol
import TestPeers
import TestSupport
import Testing
import TrafficShaping

/// Batches that are settled in parts, because some of their recipients are slow.
struct PartTests {
    private static let greylisted = SMTPReply(451, EnhancedStatusCode("4.7.1"), "Greylisted, come back later")

    @Test func `one slow recipient holds back nobody's retry and nobody's credits`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { address, attempt in
            switch address {
            case DeliveryFixture.address(0): .held
            case DeliveryFixture.address(1) where attempt == 1: .recipient(Self.greylisted)
            default: .accept
            }
        }
        try await server.run { port in
            try await fixture.withEngine(port: port) { _ in
                let campaign = try await fixture.send(7, batchSize: 7)
                try await eventually("all others are delivered and settled") {
                    let status = try await fixture.service.get(fixture.account, campaign)
                    return status.counters.delivered == 6
                        && status.credits == CampaignCredits(held: 1, charged: 6, released: 0)
                }
                #expect(server.heldCount == 1)
                // All are listed once, each where it stands.
                let listed = try await fixture.service.recipients(fixture.account, campaign).recipients
                #expect(listed.map(\.index).sorted() == Array(0..<7))
                #expect(listed.filter { $0.fate == .pending }.map(\.index) == [0])
                server.release()
                let status = try await fixture.end(of: campaign)
                #expect((status.counters.delivered, status.counters.inDoubtResent) == (7, 0))
            }
        }
        #expect(server.copies.count == 7 && server.copies.values.allSatisfy { $0 == 1 })
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `a cancelled campaign gives back what is not on the wire, while a site hangs`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { _, _ in .held }
        try await server.run { port in
            let two: (inout DeliveryConfiguration) -> Void = { $0.laneLimits = LaneLimits(connections: 2) }
            try await fixture.withEngine(port: port, two) { _ in
                let campaign = try await fixture.send(12, batchSize: 12)
                try await eventually("the site hangs") { server.heldCount == 2 }
                let start = ContinuousClock.now
                _ = try await fixture.service.cancel(fixture.account, campaign)
                try await eventually("what is not under way is given back") {
                    let status = try await fixture.service.get(fixture.account, campaign)
                    return status.counters.cancelled == 10
                        && status.credits == CampaignCredits(held: 2, charged: 0, released: 10)
                }
                #expect(ContinuousClock.now - start < .seconds(2))
                #expect(try await fixture.counters(campaign).pending == 2)
                server.release()
                let counters = try await fixture.end(of: campaign).counters
                #expect((counters.delivered, counters.cancelled, counters.inDoubt) == (2, 10, 0))
            }
        }
        #expect(try await fixture.balance().posted == DeliveryFixture.credits - 2)
        #expect(try await fixture.problemsOfBooks() == [])
    }

    @Test func `what a node that dies had settled in parts stays so, and the rest is another's`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer { address, attempt in
            address == DeliveryFixture.address(0) && attempt == 1 ? .held : .accept
        }
        let campaign = try await fixture.send(5, batchSize: 5)
        try await server.run { port in
            // Nobody's retry is due: a part comes for the credits.
            let dead = RunningEngine(fixture.engine("dead", port: port) { $0.leaseSeconds = 4 })
            try await eventually("a part is settled") {
                try await fixture.service.get(fixture.account, campaign).credits.charged == 4
            }
            dead.kill()
            await dead.waitForDeath()
            try await fixture.withEngine("other", port: port) { _ in
                let counters = try await fixture.end(of: campaign).counters
                #expect((counters.delivered, counters.inDoubtResent) == (5, 1))
            }
        }
        // The held one was taken, though its sender did not live to hear it.
        #expect(server.copies.count == 5)
        for (address, copies) in server.copies { #expect(copies == (address == DeliveryFixture.address(0) ? 2 : 1)) }
        #expect(try await fixture.problemsOfBooks() == [])
    }
}
