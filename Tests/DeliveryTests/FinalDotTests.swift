import Campaigns
import MailTypes
import SMTPProtocol
import TestPeers
import TestSupport
import Testing
import TrafficShaping

@testable import Delivery

/// A host that does not take the whole content for now: whether the next one is asked.
struct FinalDotTests {
    /// Two hosts of one destination: the first answers the final dot so.
    @Test(arguments: [
        (SMTPReply(451, EnhancedStatusCode("4.3.0"), "queue file write error"), true),
        (SMTPReply(452, EnhancedStatusCode("4.3.1"), "no room"), true),
        (SMTPReply(451, EnhancedStatusCode("4.7.1"), "greylisted, come back later"), false),
        (SMTPReply(452, EnhancedStatusCode("4.2.2"), "mailbox full"), false),
        (SMTPReply(451, EnhancedStatusCode("4.7.28"), "rate limit exceeded"), false),
        (SMTPReply(554, EnhancedStatusCode("5.6.0"), "not like this"), false),
    ])
    func `a final dot refused for now leads to the next host, unless that would say the same`(
        _ reply: SMTPReply, _ goesOn: Bool
    ) async throws {
        let fixture = try await DeliveryFixture.make()
        let (sick, well) = (MailServer(offersPipelining: false) { _, _ in .content(reply) }, MailServer())
        let port = try Socket.freePort()
        try await sick.run(on: "127.0.0.25", port: port) { _ in
            try await well.run(on: "127.0.0.26", port: port) { _ in
                let engine = fixture.engine(port: port) { configuration in
                    var host = Smarthost(host: "mx.example", port: port)
                    host.addresses = ["127.0.0.25", "127.0.0.26"].compactMap { IPAddress($0) }
                    configuration.smarthosts = [host]
                    configuration.retry = RetrySchedule(baseSeconds: 3_600, maximumSeconds: 3_600)
                }
                let running = RunningEngine(engine)
                let campaign = try await fixture.send(20)
                try await eventually("each has its answer") {
                    let counters = try await fixture.counters(campaign)
                    return counters.delivered + counters.deferred + counters.bounced == 20
                }
                let counters = try await fixture.counters(campaign)
                try await running.drain()
                let refused = Set(sick.attempts.keys)
                #expect(!refused.isEmpty && sick.attempts.values.allSatisfy { $0 == 1 })
                #expect(well.copies.values.allSatisfy { $0 == 1 })
                #expect(refused.isSubset(of: well.copies.keys) == goesOn)
                #expect(counters.delivered == (goesOn ? 20 : 20 - refused.count))
                #expect(counters.inDoubtResent == 0)
            }
        }
    }
}
