import Feedback
import Logging
import MailMessage
import MailTypes
import Postgres
import SMTPProtocol
import SendingDomains
import Vault

/// Reads a mail, tells whom it is about, and commits what it says. Sends nothing.
struct InboundIntake: Sendable {
    let attributor: Attributor
    let facts: FeedbackIntake
    /// Keeps what receivers report of domains.
    let domains: SendingDomains
    /// Names the mailbox provider of a host or mail domain.
    let mailboxProvider: @Sendable (String) -> String?
    let tally: InboundTally
    let logger: Logger

    /// A share of its own of the connections to the database: strangers' mail keeps no customer waiting.
    static let owner = ConnectionOwner("inbound mail")

    /// Once this returns, all that follows from the mail is committed.
    ///
    /// - Parameters:
    ///   - sender: the reverse path; reports come with an empty one.
    ///   - recipients: at least one
    /// - Throws: where a database does not answer. The sender comes again.
    @concurrent
    func take(_ content: [UInt8], from sender: SMTPPath, to recipients: [InboundRecipient]) async throws {
        try await ConnectionOwner.$current.withValue(Self.owner) {
            let reading = try await read(content, sender, recipients)
            let new = try await facts.take(reading.events)
            tally.count { counts in
                counts.kinds[reading.kind, default: 0] += 1
                for event in reading.events { counts.facts[event.fact, default: 0] += 1 }
                counts.newFacts += new
                if reading.isUnattributed { counts.unattributed += 1 }
            }
            logger.info(
                "mail taken in",
                metadata: [
                    "kind": "\(reading.kind)", "octets": "\(content.count)", "facts": "\(reading.events.count)",
                    "new": "\(new)",
                ])
        }
    }

    private struct Reading {
        var kind = "unsubscribe"
        var events: [FeedbackEvent] = []
        var isUnattributed = false
    }

    private func read(
        _ content: [UInt8], _ sender: SMTPPath, _ recipients: [InboundRecipient]
    ) async throws -> Reading {
        var reading = Reading()
        var returned: [RecipientToken] = []
        var isForLoop = false
        for recipient in recipients {
            switch recipient {
            case .returnPath(let token): returned.append(token)
            case .feedbackLoop: isForLoop = true
            case .unsubscribe(let token):
                reading.events.append(FeedbackEvent(token, .unsubscribe, by: .mailto, reason: "unsubscribe"))
            }
        }
        guard !returned.isEmpty || isForLoop else { return reading }
        let mail = Self.delivered(content, from: sender)
        let classification = MailClassifier.classify(mail)
        reading.kind = classification.kind.rawValue
        for token in returned {
            guard var event = try await attributor.event(of: classification, about: token) else { continue }
            event.mailboxProvider = provider(of: mail, classification)
            reading.events.append(event)
        }
        // To the loop anybody may write. Complaints are believed there for the tokens that they hold, and receivers' reports
        // on DMARC and TLS change nothing: they are shown.
        guard isForLoop, returned.isEmpty else { return reading }
        guard classification.kind == .complaint else {
            if let report = AggregateReport(mail: ReceivedMail(mail)) { _ = try await domains.take(report) }
            return reading
        }
        guard let found = try await attributor.attribute(ReceivedMail(mail)) else {
            reading.isUnattributed = true
            return reading
        }
        if var event = try await attributor.event(of: classification, about: found.recipient) {
            event.mailboxProvider = provider(of: mail, classification)
            reading.events.append(event)
        }
        return reading
    }

    /// Where the mailbox is: those who report write under a domain of their own, else the recipient's domain may say it.
    /// Anybody can write anything there; whoever does has the mail's token, and moves a count.
    private func provider(of mail: [UInt8], _ classification: MailClassification) -> String? {
        let reporter = ReceivedMail(mail).header.text("from").flatMap { Self.domain(in: $0) }
        if let name = reporter.flatMap(mailboxProvider) { return name }
        guard classification.recipients.count == 1, let address = classification.recipients[0].address else {
            return nil
        }
        return Self.domain(in: Array(address.utf8)).flatMap(mailboxProvider)
    }

    /// Behind the last `@`; nil where nothing stands there that could be a domain.
    private static func domain(in text: [UInt8]) -> String? {
        guard let at = text.lastIndex(of: UInt8(ascii: "@")) else { return nil }
        let domain = text[(at + 1)...].prefix { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."): true
            default: false
            }
        }
        return (1...MailLimits.domainOctets).contains(domain.count) ? String(decoding: domain, as: UTF8.self) : nil
    }

    /// With the envelope's sender in front, as a server delivers it (RFC 5321 §4.4): that it is empty tells reports from
    /// letters. What the mail itself claims comes second.
    static func delivered(_ content: [UInt8], from sender: SMTPPath) -> [UInt8] {
        var mail = Array("Return-Path: <\(sender.text)>\r\n".utf8)
        mail += content
        return mail
    }
}
