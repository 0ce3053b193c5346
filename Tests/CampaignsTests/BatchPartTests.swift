import MailTypes
import Testing

@testable import Campaigns

/// How a batch's row is divided between what is settled now and what goes on.
struct BatchPartTests {
    private static func row(
        _ state: BatchState = .open, recipients: Int32 = 6, finished: Int32 = 3, delivered: Int32 = 2,
        deferred: Int32 = 1, attempt: Int32 = 0
    ) -> SettlementPlan.Row {
        SettlementPlan.Row(
            state: state, recipients: recipients, finished: finished, delivered: delivered, deferred: deferred,
            attempt: attempt)
    }

    /// 0 and 1 delivered, 2 bounced, 3 deferred, 4 about to be sent, 5 untouched.
    private static let progress: [Int32: RecipientProgress] = [
        0: .finished(RecipientResult(index: 0, outcome: .delivered)),
        1: .finished(RecipientResult(index: 1, outcome: .delivered)),
        2: .finished(RecipientResult(index: 2, outcome: .bounced)),
        3: .deferred(RecipientResult(index: 3, outcome: nil)), 4: .intended,
    ]

    private static func part(_ row: SettlementPlan.Row, _ done: Set<Int32>) throws -> BatchPart {
        try BatchPart(row: row, indices: [0, 1, 2, 3, 4, 5], progress: progress, done: done)
    }

    @Test func `part and rest are the batch`() throws {
        let split = try Self.part(Self.row(), [0, 2, 3, 99])
        #expect(split.indices == [0, 2, 3])
        #expect(split.part == Self.row(recipients: 3, finished: 2, delivered: 1, deferred: 1))
        #expect(split.rest == Self.row(recipients: 3, finished: 1, delivered: 1, deferred: 0))
    }

    @Test func `who is under way, or was never begun, is not done`() {
        #expect(throws: CampaignError.self) { try Self.part(Self.row(), [0, 4]) }
        #expect(throws: CampaignError.self) { try Self.part(Self.row(), [0, 5]) }
        #expect(throws: CampaignError.self) { try Self.part(Self.row(.cancelling), [0, 4]) }
    }

    @Test func `of a cancelled batch those are done with who were never begun`() throws {
        let first = try Self.part(Self.row(.cancelling), [3, 5])
        #expect(first.part == Self.row(.cancelling, recipients: 2, finished: 0, delivered: 0, deferred: 1))
        // In a retry batch they are counted as deferred.
        let retry = try Self.part(Self.row(.cancelling, deferred: 3, attempt: 1), [0, 3, 5])
        #expect(retry.part == Self.row(.cancelling, recipients: 3, finished: 1, delivered: 1, deferred: 2, attempt: 1))
        #expect(retry.rest == Self.row(.cancelling, recipients: 3, finished: 2, delivered: 1, deferred: 1, attempt: 1))
    }

    @Test func `a part is neither nothing nor all, nor more than the row knows`() {
        #expect(throws: CampaignError.self) { try Self.part(Self.row(), []) }
        #expect(throws: CampaignError.self) { try Self.part(Self.row(), [99]) }
        #expect(throws: CampaignError.self) { try Self.part(Self.row(.cancelling), [0, 1, 2, 3, 4, 5]) }
        #expect(throws: CampaignError.self) { try Self.part(Self.row(finished: 1, delivered: 1), [0, 1]) }
        #expect(throws: CampaignError.self) { try Self.part(Self.row(deferred: 0), [3]) }
    }
}
