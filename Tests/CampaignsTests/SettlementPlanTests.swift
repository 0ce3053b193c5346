import MailTypes
import Testing

@testable import Campaigns

struct SettlementPlanTests {
    private static let indices: [Int32] = [10, 11, 12, 13]

    private static func final(_ index: Int32, _ outcome: Outcome) -> (Int32, RecipientProgress) {
        (index, .finished(RecipientResult(index: index, outcome: outcome, text: "said")))
    }

    private static func deferred(_ index: Int32) -> (Int32, RecipientProgress) {
        (index, .deferred(RecipientResult(index: index, outcome: nil, text: "later")))
    }

    private static func plan(
        _ state: BatchState, finished: Int32, delivered: Int32, deferred: Int32,
        journal: [(Int32, RecipientProgress)], claimed: [(Int32, Outcome)], retried: [Int32]
    ) throws -> SettlementPlan {
        try SettlementPlan(
            row: SettlementPlan.Row(
                state: state, recipients: 4, finished: finished, delivered: delivered, deferred: deferred, attempt: 0),
            indices: indices, progress: Dictionary(uniqueKeysWithValues: journal),
            claimed: claimed.map { RecipientResult(index: $0.0, outcome: $0.1) }, deferred: retried,
            unfinished: state == .cancelling ? .cancelled : nil)
    }

    private static let journal = [final(10, .delivered), final(11, .bounced), final(12, .delivered), deferred(13)]

    @Test func `results that match the journal are settled`() throws {
        let plan = try Self.plan(
            .open, finished: 3, delivered: 2, deferred: 1, journal: Self.journal,
            claimed: [(10, .delivered), (11, .bounced), (12, .delivered)], retried: [13])
        #expect(plan.charged == 2)
        #expect(plan.results.map(\.index) == [10, 11, 12])
        #expect(plan.results.allSatisfy { $0.text == "said" })
        #expect(plan.deferredReplies == [RecipientResult(index: 13, outcome: nil, text: "later")])
        #expect(plan.newlyEnded == 0)
    }

    @Test(
        arguments: [
            ([(10, .delivered), (11, .bounced)], [13]),  // one missing
            ([(10, .delivered), (11, .bounced), (12, .bounced)], [13]),  // another outcome
            ([(10, .delivered), (11, .bounced), (12, .delivered), (13, .bounced)], []),  // one not journalled
            ([(10, .delivered), (11, .bounced), (12, .delivered), (12, .delivered)], [13]),  // one twice
            ([(10, .delivered), (11, .bounced), (12, .delivered), (99, .delivered)], [13]),  // a stranger
            ([(10, .delivered), (11, .bounced), (12, .delivered)], []),  // the deferred one forgotten
            ([(10, .delivered), (11, .bounced), (12, .delivered)], [13, 13]),  // deferred twice
            ([(10, .delivered), (11, .bounced), (12, .delivered)], [12]),  // another one deferred
        ] as [([(Int32, Outcome)], [Int32])])
    func `anything else is refused`(claimed: [(Int32, Outcome)], retried: [Int32]) {
        #expect(throws: CampaignError.self) {
            try Self.plan(
                .open, finished: 3, delivered: 2, deferred: 1, journal: Self.journal, claimed: claimed,
                retried: retried)
        }
    }

    @Test func `a batch with an open intent or an untouched recipient is not done`() {
        for rest in [[(Int32(13), RecipientProgress.intended)], []] {
            #expect(throws: CampaignError.self) {
                try Self.plan(
                    .open, finished: 3, delivered: 2, deferred: 0, journal: Array(Self.journal.prefix(3)) + rest,
                    claimed: [(10, .delivered), (11, .bounced), (12, .delivered)], retried: [])
            }
        }
    }

    @Test func `counters that differ from the journal are refused`() {
        #expect(throws: CampaignError.self) {
            try Self.plan(
                .open, finished: 3, delivered: 3, deferred: 1, journal: Self.journal,
                claimed: [(10, .delivered), (11, .bounced), (12, .delivered)], retried: [13])
        }
    }

    @Test func `in a cancelled campaign the rest is cancelled, or in doubt`() throws {
        let plan = try Self.plan(
            .cancelling, finished: 1, delivered: 1, deferred: 1,
            journal: [Self.final(10, .delivered), Self.deferred(11), (12, .intended)], claimed: [(10, .delivered)],
            retried: [11])
        #expect(plan.charged == 1)
        #expect(plan.results.map(\.outcome) == [.delivered, .cancelled, .inDoubt, .cancelled])
        #expect(plan.results[1].text == "later")
        #expect(plan.newlyEnded == 2)
        #expect(plan.newlyInDoubt == 1)
        #expect(plan.deferredReplies.isEmpty)
    }
}
