import Logging
import MailTypes
import NIOCore
import Postgres
import SMTPProtocol
import SMTPTransport

/// What all sessions share.
struct InboundDesk: Sendable {
    let limits: InboundMailLimits
    let mailboxes: MailboxBook
    let intake: InboundIntake
    let clients: ClientBook
    let budget: ContentBudget
    let tally: InboundTally
    let logger: Logger
}

/// One connection of a server that has a report for us.
final class InboundSession: SMTPServerSession {
    private let desk: InboundDesk
    private let client: ClientKey
    private let eventLoop: any EventLoop
    private var isAdmitted = false
    private var sender = SMTPPath.null
    private var size: Int?
    private var recipients: [InboundRecipient] = []
    private var room: ContentReservation?

    init(_ desk: InboundDesk, peer: SocketAddress?, on eventLoop: any EventLoop) {
        self.desk = desk
        client = ClientKey(peer)
        self.eventLoop = eventLoop
    }

    func connected() -> SMTPReply? {
        isAdmitted = desk.clients.admit(client)
        desk.tally.count {
            $0.connections += 1
            if !isAdmitted { $0.refusedConnections += 1 }
        }
        return isAdmitted ? nil : Self.tooManyConnections
    }

    func mail(_ mail: SMTPReceivedMail) -> SMTPServerAction {
        (sender, size) = (mail.reversePath, mail.size)
        recipients.removeAll(keepingCapacity: true)
        room = nil
        guard desk.clients.mayMail(client) else {
            desk.tally.count { $0.refusedMails += 1 }
            return .reply(Self.tooMuchMail)
        }
        return .reply(Self.senderOK)
    }

    func recipient(_ path: SMTPPath) -> SMTPServerAction {
        guard let mailbox = InboundMailbox(path.localPart) else { return refuse(.mailbox) }
        let domain = path.domain
        let found = eventLoop.makeFutureWithTask { [desk] in
            // Strangers ask: what they look up takes no connections that a customer waits for.
            try await ConnectionOwner.$current.withValue(InboundIntake.owner) {
                try await desk.mailboxes.find(mailbox, at: domain)
            }
        }
        return .future(
            found.assumeIsolated().map { self.answer($0) }.recover { _ in self.putOff() }.nonisolated())
    }

    func data() -> SMTPDataDecision {
        // An announcement is an estimate (RFC 1870 §5). What goes beyond it is not kept.
        let announced = size.map { $0 + $0 / 8 + 4_096 } ?? desk.limits.keptOctets
        let octets = min(announced, desk.limits.keptOctets)
        guard let room = desk.budget.reserve(octets, for: client) else {
            desk.tally.count { $0.noRoom += 1 }
            return .refuse(.reply(Self.noRoom))
        }
        self.room = room
        return .accept(.beginning(octets))
    }

    func message(_ message: SMTPReceivedMessage) -> SMTPServerAction {
        let (sender, recipients, room) = (self.sender, self.recipients, self.room)
        self.room = nil
        let taken = eventLoop.makeFutureWithTask { [desk] in
            // Held to the end, also where the client has gone.
            defer { withExtendedLifetime(room) {} }
            try await desk.intake.take(Array(message.content.readableBytesView), from: sender, to: recipients)
        }
        return .future(
            taken.assumeIsolated().map { SMTPServerAction.reply(Self.taken) }.recover { _ in self.putOff() }
                .nonisolated())
    }

    func contentRefused(_ fault: SMTPContentFault) {
        room = nil
        desk.tally.count { $0.malformed += 1 }
    }

    func closed() {
        room = nil
        if isAdmitted { desk.clients.leave(client) }
        isAdmitted = false
    }

    private func answer(_ found: Result<InboundRecipient, Miss>) -> SMTPServerAction {
        switch found {
        case .failure(let miss): return refuse(miss)
        case .success(let recipient):
            if !recipients.contains(recipient) { recipients.append(recipient) }
            return .reply(Self.recipientOK)
        }
    }

    private func refuse(_ miss: Miss) -> SMTPServerAction {
        desk.tally.count { $0.misses[miss.rawValue, default: 0] += 1 }
        guard desk.clients.mayMiss(client) else { return .close(Self.tooManyMisses) }
        return .reply(miss == .domain ? Self.notHere : Self.unknown)
    }

    private func putOff() -> SMTPServerAction {
        desk.tally.count { $0.failures += 1 }
        desk.logger.warning("mail put off: a database does not answer")
        return .reply(Self.localError)
    }

    private static let senderOK = SMTPReply(250, EnhancedStatusCode("2.1.0"), "Sender OK")
    private static let recipientOK = SMTPReply(250, EnhancedStatusCode("2.1.5"), "Recipient OK")
    private static let taken = SMTPReply(250, EnhancedStatusCode("2.0.0"), "OK: noted")
    /// One answer for all of them: it does not help to make tokens.
    private static let unknown = SMTPReply(550, EnhancedStatusCode("5.1.1"), "No such mailbox")
    private static let notHere = SMTPReply(550, EnhancedStatusCode("5.1.2"), "No mail for this domain here")
    private static let localError = SMTPReply(451, EnhancedStatusCode("4.3.0"), "Local error, try again later")
    private static let noRoom = SMTPReply(452, EnhancedStatusCode("4.3.1"), "Too much mail under way, try again later")
    private static let tooMuchMail = SMTPReply(
        450, EnhancedStatusCode("4.7.1"), "Too much mail from your address, try again later")
    private static let tooManyConnections = SMTPReply(
        421, EnhancedStatusCode("4.7.0"), "Too many connections from your address")
    private static let tooManyMisses = SMTPReply(
        421, EnhancedStatusCode("4.7.0"), "Too many unknown recipients from your address")
}
