import Campaigns
import Foundation
import Identity
package import MailMessage
package import MailTypes

/// Who sends what the installation itself has to say, as the operator has named it: an account whose ordinary campaigns of one
/// recipient these mails are. Its domain is proven, its key signs, its credits pay.
package struct InstallationMail: Sendable {
    package let account: AccountID
    package let sender: Mailbox
    /// `https://…` without a slash at its end, where people reach this installation.
    package let publicURL: String

    package init(account: AccountID, sender: Mailbox, publicURL: String) {
        self.account = account
        self.sender = sender
        self.publicURL = publicURL
    }

    /// Where an invitation's mail leads to. The secret stands behind `#`, which no browser sends to a server, so that no log and no
    /// referrer has it.
    package static func link(_ secret: Redacted<String>, publicURL: String) -> Redacted<String> {
        Redacted("\(publicURL)\(APIOperation.joinPage.path)#\(secret.exposed)")
    }

    /// The campaign that carries a mail.
    func request(for mail: PendingMail) -> CampaignRequest {
        let words = InstallationMailWords.of(mail.purpose)
        return CampaignRequest(
            content: MessageContent(
                from: sender, subject: words.subject, html: words.html, text: words.text,
                headers: [("Auto-Submitted", "auto-generated")], listUnsubscribe: [unsubscribing], unsubscribing: .own),
            expirySeconds: words.expirySeconds, resultsFor: 0)
    }

    /// To the sender, by mail: the one click of a mail program must not keep somebody from their codes.
    private var unsubscribing: String {
        let plain = CharacterSet.urlUserAllowed.union(CharacterSet(charactersIn: "@"))
        return "mailto:" + (sender.address.text.addingPercentEncoding(withAllowedCharacters: plain) ?? "")
    }

    /// Its one recipient, as a line of NDJSON. What people have chosen stands in variables, never in a template.
    func recipient(of mail: PendingMail) throws -> [UInt8] {
        struct Line: Encodable {
            let email: String
            let vars: [String: String]
        }
        var variables: [String: String] = [:]
        switch mail.purpose {
        case .invitation(let account, let inviter):
            variables["link"] = mail.secret.map { Self.link($0, publicURL: publicURL).exposed }
            variables["account"] = account
            variables["inviter"] = inviter?.exposed
        case .passwordCode, .deviceCode, .signUpCode:
            variables["code"] = mail.secret.map { "\($0.exposed.prefix(3)) \($0.exposed.suffix(3))" }
        case .addressInUse:
            variables["link"] = publicURL + APIOperation.signInPage.path
            variables["password_link"] = publicURL + APIOperation.passwordPage.path
        }
        return Array(try JSONEncoder().encode(Line(email: mail.address.text, vars: variables))) + [0x0A]
    }
}
