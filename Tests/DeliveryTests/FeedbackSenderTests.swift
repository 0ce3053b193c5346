import MailTypes
import TestPeers
import TestSupport
import Testing

@testable import Delivery

struct FeedbackSenderTests {
    @Test(arguments: ["sluice", "acme-1", "A.b_C", "exactly15chars_"])
    func `a token of the sender's is the last part of Feedback-ID`(token: String) throws {
        let sender = try #require(FeedbackSender(token))
        let id = sender.frame(CampaignID(rawValue: 7), AccountID(rawValue: 3)).around("abc")
        #expect(id == "\(CampaignID(rawValue: 7)):3:abc:\(token)")
    }

    @Test(arguments: ["", "four", "sixteen-letters_", "a b c", "a:b:c", "acmé1", "acme\r\n", "<acme>"])
    func `another is refused`(token: String) {
        #expect(FeedbackSender(token) == nil)
    }

    @Test(.timeLimit(.minutes(1))) func `mails carry the token of the installation`() async throws {
        let fixture = try await DeliveryFixture.make()
        let server = MailServer()
        _ = try await fixture.send(1)
        try await fixture.withEngine(to: server, { $0.feedbackSender = FeedbackSender("acme-news") ?? .standard }) {
            _ in
            try await eventually("the mail arrives") { !server.mails.isEmpty }
        }
        let field = server.mails[0].content.split(separator: "\r\n").first { $0.hasPrefix("Feedback-ID: ") }
        #expect(field?.hasSuffix(":acme-news") == true)
        #expect(field?.dropFirst("Feedback-ID: ".count).split(separator: ":").dropFirst().first == "\(fixture.account)")
    }
}
