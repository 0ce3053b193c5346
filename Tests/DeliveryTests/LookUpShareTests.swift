import DNSResolution
import Delivery
import TestPeers
import TestSupport
import Testing

/// What a node takes of an account whose mail is for domains that no name server answers for.
@Suite(.timeLimit(.minutes(3))) struct LookUpShareTests {
    @Test func `an account whose domains nobody answers for holds few batches`() async throws {
        let fixture = try await DeliveryFixture.make()
        // Takes questions and says nothing.
        let silent = try Socket()
        let resolver = try DNSResolution.Resolver(
            ResolverConfiguration(
                forwarders: [try #require(DNSServer("127.0.0.1:\(silent.port)"))], timeout: .seconds(8)))
        _ = try await fixture.send(40, batchSize: 1)
        let engine = fixture.engine(port: 1, resolver: resolver) { configuration in
            configuration.smarthosts = []
            configuration.waitingMails = 2_000
            configuration.lookUpBatches = 2
        }
        let running = RunningEngine(engine)
        try await eventually("batches are claimed") { try await fixture.leases() >= 2 }
        var most: Int64 = 0
        for _ in 0..<40 {
            most = max(most, try await fixture.leases())
            try await Task.sleep(for: .milliseconds(50))
        }
        try await running.drain()
        // A claim that was on its way may bring as many again.
        #expect((2...6).contains(most))
        withExtendedLifetime(silent) {}
    }
}
