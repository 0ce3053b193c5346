import Campaigns
import Testing

struct CampaignStateTests {
    /// The whole table: what is not in it is refused.
    private static let table: [CampaignState: [CampaignEvent: CampaignState]] = [
        .draft: [.send: .queued, .schedule: .scheduled, .cancel: .cancelled],
        .scheduled: [.start: .sending, .cancel: .cancelled, .fail: .cancelled, .complete: .completed],
        .queued: [.start: .sending, .pause: .paused, .cancel: .cancelled, .fail: .cancelled, .complete: .completed],
        .sending: [.pause: .paused, .cancel: .cancelled, .fail: .cancelled, .complete: .completed],
        .paused: [.resume: .sending, .cancel: .cancelled, .fail: .cancelled],
        .completed: [:],
        .cancelled: [:],
    ]

    @Test(arguments: CampaignState.allCases, CampaignEvent.allCases)
    func `each event leads where the table says`(state: CampaignState, event: CampaignEvent) throws {
        let row = try #require(Self.table[state])
        #expect(state.applying(event) == row[event])
    }

    @Test func `only the final states have no way out`() {
        for state in CampaignState.allCases {
            #expect(state.isFinal == CampaignEvent.allCases.allSatisfy { state.applying($0) == nil })
        }
    }
}
