import Feedback
import MailTypes
import SMTPProtocol
import Testing

@testable import MailSink

/// The sink's imitations were written without the classifier's rules: each checks the other.
@Suite struct ProviderReplyClassTests {
    @Test(arguments: [
        "gmail.com", "yahoo.com", "outlook.com", "gmx.de", "icloud.com", "orange.fr", "comcast.net", "mail.ru",
        "example.net",
    ]) func `an unknown mailbox, and nothing else, is suppressed`(_ domain: String) throws {
        let path = try #require(SMTPPath("jane.doe@\(domain)"))
        let provider = ProviderReplies.provider(of: path.domain)
        func classify(_ template: ReplyTemplate) -> ReplyClassification {
            let reply = template.reply(to: path, RecipientDigest(path.text, seed: 1))
            return ReplyClassifier.classify(code: reply.code, enhanced: reply.enhanced, text: reply.text)
        }
        for template in provider.unknownMailbox {
            #expect(classify(template).suppresses, "\(template.lines)")
        }
        for template in provider.inactiveMailbox + provider.refusedContent {
            let found = classify(template)
            #expect(found.isPermanent && !found.suppresses && found.replyClass != .other, "\(template.lines)")
        }
        for template in provider.deferredRecipient + provider.deferredContent + provider.busy {
            let found = classify(template)
            #expect(!found.isPermanent && !found.suppresses, "\(template.lines)")
        }
    }
}
