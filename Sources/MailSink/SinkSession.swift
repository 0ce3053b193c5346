import MailTypes
import NIOCore
import NIOPosix
import SMTPProtocol
import SMTPTransport

/// One connection to the sink.
final class SinkSession: SMTPServerSession {
    struct Recipient {
        let path: SMTPPath
        let digest: RecipientDigest
    }

    private let sink: SinkWorks
    private let eventLoop: any EventLoop
    private var isSecured = false
    private var sender = SMTPPath.null
    private var requiresTLS = false
    private var recipients: [Recipient] = []
    /// What to do after the content, if not simply to accept. Such a recipient is alone in its transaction.
    private var special: SinkPolicy.Verdict?
    private var isVerified = false

    init(_ sink: SinkWorks, on eventLoop: any EventLoop) {
        self.sink = sink
        self.eventLoop = eventLoop
    }

    func connected() -> SMTPReply? {
        sink.tally.count(\.connections)
        return nil
    }

    func secured() {
        isSecured = true
        sink.tally.count(\.tlsSessions)
    }

    func mail(_ mail: SMTPReceivedMail) -> SMTPServerAction {
        sender = mail.reversePath
        requiresTLS = mail.requiresTLS
        recipients.removeAll(keepingCapacity: true)
        special = nil
        return .reply(Self.senderOK)
    }

    func recipient(_ path: SMTPPath) -> SMTPServerAction {
        let recipient = Recipient(path: path, digest: RecipientDigest(path.text, seed: sink.configuration.seed))
        let verdict = sink.configuration.policy.verdict(for: path, recipient.digest, sink.tally)
        switch verdict {
        case .refuse(let reply, afterContent: false):
            return refuse(reply, recipient, messageID: nil)
        case .close:
            sink.tally.count(\.closedConnections)
            log(.closed, code: 0, [recipient], messageID: nil)
            return .close(nil)
        case .accept where special == nil:
            recipients.append(recipient)
            return .reply(Self.recipientOK)
        case _ where recipients.isEmpty:
            special = verdict
            recipients.append(recipient)
            return .reply(Self.recipientOK)
        default:
            // The final dot has one answer for all recipients, so this one needs a transaction of its own.
            return .reply(Self.oneRecipient)
        }
    }

    func data() -> SMTPDataDecision {
        isVerified = recipients.first.map { sink.verifies($0.digest) } ?? false
        if isVerified || sink.capture != nil { return .accept(.whole) }
        return .accept(sink.log == nil ? .nothing : .header)
    }

    func message(_ message: SMTPReceivedMessage) -> SMTPServerAction {
        sink.tally.received(octets: message.octets)
        let messageID = sink.log == nil ? nil : MessageIDField.value(in: message.content)
        if case .refuse(let reply, _) = special, let recipient = recipients.first {
            return refuse(reply, recipient, messageID: messageID)
        }
        guard let capture = sink.capture else {
            return take(message, messageID: messageID)
        }
        let envelope = SinkCapture.Envelope(
            sender: sender.text, recipients: recipients.map(\.path.text), octets: message.octets, tls: isSecured,
            requiretls: requiresTLS, dropped: special == .dropAfterDot, received_at: SinkLog.milliseconds())
        let captured = sink.threads.runIfActive(eventLoop: eventLoop) {
            try capture.write(message.content, envelope)
        }
        return .future(
            captured.assumeIsolated().map { self.take(message, messageID: messageID) }
                .recover { _ in .reply(Self.storageFailed) }.nonisolated())
    }

    func contentRefused(_ fault: SMTPContentFault) {
        sink.tally.count(\.malformed)
    }

    /// Counts and logs the message, and only then answers.
    private func take(_ message: SMTPReceivedMessage, messageID: [UInt8]?) -> SMTPServerAction {
        let isDropped = special == .dropAfterDot
        guard log(isDropped ? .dropped : .accepted, code: isDropped ? 0 : 250, recipients, messageID: messageID) else {
            return .reply(Self.storageFailed)
        }
        sink.tally.accepted(recipients, dropped: isDropped)
        let verification = isVerified ? sink.verify(message.content, on: eventLoop) : nil
        if isDropped { return .close(nil) }
        let reply: SMTPServerAction =
            special == .slow
            ? .delay(TimeAmount(sink.configuration.slowness), then: .reply(Self.taken)) : .reply(Self.taken)
        // The pool of checkers is behind: let the client wait with them, so that messages do not pile up.
        guard let verification else { return reply }
        return .future(verification.map { reply })
    }

    private func refuse(_ reply: SMTPReply, _ recipient: Recipient, messageID: [UInt8]?) -> SMTPServerAction {
        sink.tally.refused(recipient.digest, permanently: reply.isPermanent)
        log(reply.isPermanent ? .permanent : .temporary, code: reply.code, [recipient], messageID: messageID)
        return .reply(reply)
    }

    @discardableResult
    private func log(_ verdict: SinkLog.Verdict, code: Int, _ recipients: [Recipient], messageID: [UInt8]?) -> Bool {
        sink.log?.append(verdict, code: code, recipients.lazy.map(\.path.text), messageID: messageID) ?? true
    }

    private static let senderOK = SMTPReply(250, EnhancedStatusCode("2.1.0"), "Sender OK")
    private static let recipientOK = SMTPReply(250, EnhancedStatusCode("2.1.5"), "Recipient OK")
    private static let oneRecipient = SMTPReply(
        452, EnhancedStatusCode("4.5.3"), "Too many recipients for this message")
    private static let taken = SMTPReply(250, EnhancedStatusCode("2.0.0"), "OK: taken by the sink")
    private static let storageFailed = SMTPReply(452, EnhancedStatusCode("4.3.1"), "The sink cannot write its files")
}
