import Campaigns
import MailTypes
import Testing

@testable import Delivery

/// How much more an engine claims beside what it has.
struct AppetiteTests {
    private static let configuration: DeliveryConfiguration = {
        var configuration = DeliveryConfiguration(node: "node", heloName: "out.example.net")
        configuration.activeBatches = 16
        configuration.waitingMails = 2 * MailLimits.batchRecipients
        configuration.lookUpBatches = 2
        return configuration
    }()

    /// Batches of one account, each in another state.
    private static func state(_ runs: [BatchRun]) -> Workload {
        var state = Workload()
        for (number, run) in runs.enumerated() {
            state.runs[BatchID(account: run.batch.id.account, campaign: run.batch.id.campaign, number: Int32(number))] =
                run
        }
        state.activeBatches = runs.count
        return state
    }

    @Test func `mail that waits for a connection leaves room for less`() throws {
        let runs = try (0..<2).map { _ in try BatchRun.sample(MailLimits.batchRecipients) }
        #expect(Self.state([]).appetite(Self.configuration, FleetState()) == 2)
        #expect(Self.state([runs[0]]).appetite(Self.configuration, FleetState()) == 1)
        #expect(Self.state(runs).appetite(Self.configuration, FleetState()) == 0)
        // Once it starts, there is room again.
        for position in 0..<MailLimits.batchRecipients { runs[0].start(position) }
        #expect(Self.state(runs).appetite(Self.configuration, FleetState()) == 1)
    }

    @Test func `names that nobody answers for take no room, and their account gets no more of them`() throws {
        let runs = try (0..<3).map { _ in try BatchRun.sample(MailLimits.batchRecipients) }
        let account = runs[0].batch.id.account
        for run in runs[..<2] { run.beginLookUp(of: MailLimits.batchRecipients) }
        #expect(Self.state(runs).appetite(Self.configuration, FleetState()) == 1)
        #expect(Self.state([runs[0]]).lookingUp(atMost: 2) == [])
        #expect(Self.state(runs).lookingUp(atMost: 2) == [account])
        // One name after the other is found.
        runs[0].endLookUp(of: 400)
        #expect(runs[0].queuedCount == 400)
        #expect(Self.state(runs).lookingUp(atMost: 2) == [account])
        runs[0].endLookUp(of: MailLimits.batchRecipients - 400)
        #expect(Self.state(runs).lookingUp(atMost: 2) == [])
        #expect(Self.state(runs).appetite(Self.configuration, FleetState()) == 0)
    }
}
