import Feedback
import Testing

@testable import ProviderWebhooks

@Suite struct BounceJudgementTests {
    @Test(
        arguments: [
            (true, "550 5.1.1 user unknown", FeedbackFact.hardBounce, "userunknown"),
            (true, "", .hardBounce, "undefined"),
            (true, "something that no rule knows", .hardBounce, "undefined"),
            (true, "552 5.2.2 mailbox full", .softBounce, "mailboxfull"),
            (true, "smtp; 550 5.7.1 blocked using zen.spamhaus.org", .softBounce, "blocked"),
            (false, "550 5.1.1 user unknown", .softBounce, "userunknown"),
            (false, "", .softBounce, "undefined"),
        ] as [(Bool, String, FeedbackFact, String)])
    func `what the receiver wrote can only make a provider's verdict milder`(
        _ isPermanent: Bool, _ text: String, _ fact: FeedbackFact, _ reason: String
    ) {
        let judgement = BounceJudgement(isPermanent: isPermanent, text: text)
        #expect(judgement.fact == fact)
        #expect(judgement.reason == reason)
    }

    @Test func `a code that says something counts, one that names only its class does not`() {
        #expect(BounceJudgement(isPermanent: true, status: "5.2.2", text: nil).fact == .softBounce)
        #expect(BounceJudgement(isPermanent: true, status: "5.1.1", text: nil).fact == .hardBounce)
        #expect(BounceJudgement(isPermanent: true, status: "5.0.0", text: nil).fact == .hardBounce)
        #expect(BounceJudgement(isPermanent: true, status: "4.0.0", text: nil).fact == .hardBounce)
    }
}
