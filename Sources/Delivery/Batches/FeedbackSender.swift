import MailTypes

/// The last part of Feedback-ID, by which a receiver counts complaints for the whole installation, whatever campaign and
/// account they are about. Large receivers want 5 to 15 characters of the sender's own that never change.
package struct FeedbackSender: Sendable, Hashable {
    package static let standard = FeedbackSender(unchecked: "sluice")

    package let token: String

    /// Nil unless the token is 5 to 15 letters, digits, hyphens, underscores or dots of ASCII.
    package init?(_ token: String) {
        guard (5...15).contains(token.utf8.count), token.utf8.allSatisfy(Self.isAllowed) else { return nil }
        self.init(unchecked: token)
    }

    private init(unchecked token: String) { self.token = token }

    /// Feedback-ID of a campaign's mails: `campaign:account:recipient's token:sender`. Large receivers count by the first two
    /// and the last, report what is frequent, and hand all four back with a complaint.
    func frame(_ campaign: CampaignID, _ account: AccountID) -> TokenFrame {
        TokenFrame("\(campaign):\(account):", ":" + token)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }
}
