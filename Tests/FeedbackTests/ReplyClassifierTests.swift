import MailTypes
import Testing

@testable import Feedback

@Suite struct ReplyClassifierTests {
    /// Own texts in the manner of receivers: what must be told apart.
    static let replies: [(code: Int, text: String, replyClass: ReplyClass, suppresses: Bool)] = [
        (
            550, "5.1.1 <x@example.org>: Recipient address rejected: User unknown in virtual table", .hardBadMailbox,
            true
        ),
        (550, "No such user", .hardBadMailbox, true),
        (550, "5.1.1", .hardBadMailbox, true),
        (550, "5.1.1 The mail account that you want to reach doesn\u{2019}t exist", .hardBadMailbox, true),
        (450, "4.1.1 User unknown, try later", .hardBadMailbox, false),
        (550, "4.1.1 User unknown", .hardBadMailbox, false),
        (550, "5.1.2 Host unknown", .hardBadDomain, false),
        (556, "This domain takes no mail", .hardBadDomain, false),
        (550, "5.2.1 This account is disabled", .hardInactive, false),
        (550, "Account suspended", .hardInactive, false),
        (452, "4.2.2 Mailbox full", .softMailboxFull, false),
        (552, "5.2.2 Over quota", .softMailboxFull, false),
        (552, "Message size exceeds the maximum of 10 MB", .messageTooLarge, false),
        (451, "4.7.1 Greylisting in force, come back in 5 minutes", .softGreylist, false),
        (421, "Too many connections from your host", .softRateLimited, false),
        (550, "5.2.1 User receives mail at a rate that we cannot accept", .softRateLimited, false),
        (554, "5.7.1 Client host [192.0.2.1] blocked using bl.example.org", .blockReputation, false),
        (550, "Mailbox unavailable, 192.0.2.1 is listed in our blocklist", .blockReputation, false),
        (550, "Mailbox unavailable", .hardBadMailbox, true),
        // Of the sender, at GMX, web.de and IONOS.
        (
            550, "Requested action not taken: mailbox unavailable 550 invalid DNS MX or A/AAAA resource record",
            .relayConfig, false
        ),
        (
            550, "Requested action not taken: mailbox unavailable invalid DNS A or MX resource record", .relayConfig,
            false
        ),
        (450, "Mailbox unavailable", .other, false),
        (550, "5.7.26 DMARC policy of the From domain failed", .blockAuth, false),
        (554, "Message looks like spam", .blockSpamPolicy, false),
        (550, "5.6.0 Malformed header", .messageContent, false),
        (550, "5.7.1 Relay access denied", .relayConfig, false),
        (553, "5.1.8 Sender address rejected: Domain not found", .relayConfig, false),
        (550, "Sender address rejected: user unknown", .relayConfig, false),
        (530, "5.7.0 Must issue a STARTTLS command first", .tls, false),
        (421, "4.3.2 Shutting down", .other, false),
        (451, "4.3.0 Local error in processing", .other, false),
        (550, "", .other, false),
        (550, "Unverständlich", .other, false),
        // A code without words must not condemn an address.
        (550, "5.0.0 Failed", .other, false),
        (550, "5.7.1 Refused", .blockSpamPolicy, false),
        // What was not found is not the mailbox.
        (550, "5.7.1 MX record not found", .blockSpamPolicy, false),
        (550, "The A record of your HELO does not exist", .relayConfig, false),
        (554, "The domain of the address does not exist", .other, false),
        (554, "Infected message was deleted", .messageContent, false),
        (502, "5.5.2 Error: command not recognized", .other, false),
        (554, "5.5.1 Error: no valid recipients", .other, false),
        (550, "The name of your server could not be found in the DNS", .relayConfig, false),
        (550, "The sender's domain does not exist", .relayConfig, false),
        (550, "No such domain in From", .relayConfig, false),
        (550, "Client host not found in DNS", .relayConfig, false),
        (550, "5.1.1 Recipient does not accept mail from you", .relayConfig, false),
        (550, "This mailbox does not accept mail from this domain", .relayConfig, false),
        (550, "Mailbox unavailable for sender", .relayConfig, false),
        (550, "5.1.1 Your email address doesn't exist", .relayConfig, false),
        (550, "Originator address unknown", .relayConfig, false),
        (550, "Return address invalid", .relayConfig, false),
        (553, "5.1.8 Domain of address does not exist", .relayConfig, false),
        (550, "5.1.7 Invalid address", .relayConfig, false),
        (550, "User unknown. Check your address book", .hardBadMailbox, true),
        // What a server says to all whom it does not know.
        (554, "5.7.1 <kim@example.org>: Recipient address rejected: Access denied", .blockReputation, false),
        (550, "5.7.1 Service unavailable", .blockSpamPolicy, false),
        (421, "4.4.2 Connection timed out", .other, false),
        (550, "5.1.1 Account not available", .hardBadMailbox, true),
        (550, "User (kim) unknown", .hardBadMailbox, true),
        (550, "Address not present in directory", .hardBadMailbox, true),
        (550, "Postfach existiert nicht", .hardBadMailbox, true),
        (550, "Die Domain existiert nicht", .other, false),
        (550, "Unknown error with user quarantine", .other, false),
        (550, "The domain name does not exist", .hardBadDomain, false),
        (550, "5.1.6 Kim has moved to another company", .hardBadMailbox, true),
        (550, "Empfaenger unbekannt", .hardBadMailbox, true),
        (550, "ADRESSE INCONNUE", .hardBadMailbox, true),
        (550, "Usuário não encontrado", .hardBadMailbox, true),
        (550, "Casella inesistente", .hardBadMailbox, true),
        (550, "Пользователь Не Найден", .hardBadMailbox, true),
        (550, "Nie można znaleźć adresata", .hardBadMailbox, true),
        (550, "找不到此用户", .hardBadMailbox, true),
        (550, "사용자를 찾을 수 없습니다", .hardBadMailbox, true),
        (552, "Buzón del destinatario lleno", .softMailboxFull, false),
        (552, "Skrzynka adresata jest przepełniona", .softMailboxFull, false),
        (552, "ПОЧТОВЫЙ ЯЩИК ПЕРЕПОЛНЕН", .softMailboxFull, false),
        (550, "Mailbox has been blocked for inactivity", .hardInactive, false),
        (
            550, "5.7.515 Access denied, sending domain lacks the authentication level that we ask for", .blockAuth,
            false
        ),
        (
            554, "5.2.122 The recipient has exceeded their limit for the number of messages an hour", .softRateLimited,
            false
        ),
        (530, "5.7.1 Client was not authenticated", .relayConfig, false),
        (550, "Longest line length exceeded", .messageContent, false),
        (550, "Vastaanottajaa ei löydy", .hardBadMailbox, true),
        (554, "5.7.1 A file attached is not allowed here", .messageContent, false),
        // The words of an address are not the server's.
        (550, "<user.unknown@example.org> refused", .other, false),
        (554, "5.0.0 <spam@example.org> no such user", .hardBadMailbox, true),
    ]

    @Test(arguments: replies.indices) func `replies are told apart`(index: Int) {
        let (code, text, replyClass, suppresses) = Self.replies[index]
        let result = ReplyClassifier.classify(code: code, enhanced: nil, text: text)
        #expect(result.replyClass == replyClass, "\(code) \(text)")
        #expect(result.suppresses == suppresses, "\(code) \(text)")
    }

    @Test func a_parsed_enhanced_code_counts_more_than_one_in_the_text() {
        let parsed = EnhancedStatusCode(statusClass: 5, subject: 2, detail: 2)
        let result = ReplyClassifier.classify(code: 550, enhanced: parsed, text: "upstream said 5.1.1")
        #expect(result.replyClass == .softMailboxFull)
    }

    @Test func only_a_missing_mailbox_said_for_good_suppresses() {
        for replyClass in ReplyClass.allCases {
            for isPermanent in [false, true] {
                let classification = ReplyClassification(
                    replyClass: replyClass, reason: .undefined, isPermanent: isPermanent,
                    enhanced: nil, rule: nil, phrase: nil)
                #expect(classification.suppresses == (replyClass == .hardBadMailbox && isPermanent))
            }
        }
    }
}
