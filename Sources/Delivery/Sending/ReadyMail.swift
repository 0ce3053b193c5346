import Campaigns
import SMTPProtocol
import Synchronization
import TrafficShaping

/// A mail that may be sent: rendered, signed, its intent committed. It is sent, or withdrawn (``MailSender/withdraw(_:)``).
final class ReadyMail: Sendable {
    /// What goes to the server.
    struct Content: Sendable {
        /// DKIM-Signature fields with their CRLFs, to stand in front of the message.
        let signature: [UInt8]
        let message: [UInt8]
        /// Whether a header holds UTF-8 (RFC 6532), which only SMTPUTF8 servers take.
        let isInternationalised: Bool

        var octets: Int { signature.count + message.count }
    }

    let mail: QueuedMail
    let envelope: SMTPEnvelope
    private let readyAt: SteadySeconds
    private let content: Mutex<Content?>

    /// - Parameter token: what names the recipient in all places that may come back.
    init(_ mail: QueuedMail, token: String, _ content: Content, readyAt: SteadySeconds) {
        self.mail = mail
        envelope = SMTPEnvelope(
            reversePath: mail.run.runtime.reversePath(token: token),
            recipient: mail.run.batch.records[mail.position].address,
            needsSMTPUTF8: content.isInternationalised, is8Bit: content.isInternationalised, size: content.octets,
            requiresTLS: mail.run.runtime.requiresTLS)
        self.readyAt = readyAt
        self.content = Mutex(content)
    }

    /// Whether it may still go as it is: its run was not stopped, and it was asked a moment ago whether the address is suppressed.
    func isFresh(at now: SteadySeconds) -> Bool {
        age(at: now) < Self.freshSeconds && mail.run.mayStart(at: now)
    }

    private static let freshSeconds = 0.1

    /// Whether a server may be told of it: the mail before it over that connection may take a while, and this one must be fresh
    /// after that.
    func mayBeAnnounced(at now: SteadySeconds) -> Bool { age(at: now) < Self.freshSeconds / 2 && isFresh(at: now) }

    /// Seconds since it was ready.
    func age(at now: SteadySeconds) -> Double { now - readyAt }

    /// Once: nobody holds on to the content while the server thinks.
    func takeContent() -> Content {
        content.withLock { content in
            defer { content = nil }
            guard let content else { preconditionFailure("a mail is sent once after it was made ready") }
            return content
        }
    }
}
