import MailSigning
import MailTypes
import SendingDomains
import TestPeers
import TestSupport
import Testing
import TrafficShaping

@testable import Campaigns
@testable import Delivery

/// Mail whose signatures are made several at a time.
struct BatchSigningTests {
    /// Delivers, and has libopendkim look at each mail.
    ///
    /// - Returns: how they were signed.
    private func deliver(_ count: Int, connections: Int) async throws -> SigningCounts {
        let fixture = try await DeliveryFixture.make()
        let added = try await fixture.domains.add(
            fixture.account, DomainName("news.example"), algorithms: [.rsaSHA256, .ed25519SHA256])
        let campaign = try await fixture.send(count, batchSize: 100, from: "news.example")
        let server = MailServer()
        let batch = await BatchSigner.start(.require, library: BatchSigner.standIn)
        let engine = try await server.run { port in
            let engine = fixture.engine(port: port, batchSigner: batch) {
                $0.laneLimits = LaneLimits(connections: connections)
            }
            let running = RunningEngine(engine)
            try await eventually("all is delivered") { try await fixture.counters(campaign).delivered == count }
            try await running.drain()
            return engine
        }
        #expect(server.copies.count == count && server.copies.values.allSatisfy { $0 == 1 })
        let verifier = try DKIMVerifier(
            keys: Dictionary(
                uniqueKeysWithValues: added.keys.map { ("\($0.selector)._domainkey.news.example", $0.record) }))
        for mail in server.mails {
            #expect(try verifier.verify(Array(mail.content.utf8)).signatures.map(\.result) == [.pass, .pass])
        }
        return engine.status.signing.counts
    }

    @Test(.timeLimit(.minutes(2))) func `mails that are committed together are signed together`() async throws {
        let counts = try await deliver(200, connections: 32)
        #expect(counts.signaturesInPasses + counts.alone == 200 && counts.mismatches == 0)
        #expect(counts.signaturesInPasses > 100)
    }

    @Test(.timeLimit(.minutes(1))) func `a lone mail is signed alone, and leaves`() async throws {
        let counts = try await deliver(1, connections: 4)
        #expect(counts.alone == 1 && counts.signaturesInPasses == 0)
    }
}
