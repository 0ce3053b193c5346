package import Campaigns
import Foundation
package import Identity
package import Logging
import MailTypes
import Postgres
import ServiceLifecycle

/// Makes the mails that the installation owes people, within a second or two, until it is cancelled or the service group shuts
/// down.
///
/// A mail's secret becomes good for something in the transaction that sends its campaign. So of several nodes that make the same
/// mail one sends it, and the others give up their drafts.
package struct InstallationMailer: Service {
    private let mail: InstallationMail
    private let pending: PendingMails
    private let campaigns: CampaignService
    private let interval: Duration
    private let logger: Logger

    /// - Parameter campaigns: over sessions that work for all accounts
    package init(
        _ mail: InstallationMail, pending: PendingMails, campaigns: CampaignService,
        every interval: Duration = .seconds(1), logger: Logger
    ) {
        self.mail = mail
        self.pending = pending
        self.campaigns = campaigns
        self.interval = interval
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await sendDue()
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// What fails is taken up again after a while, by this node or another.
    ///
    /// - Returns: how many mails are on their way
    @discardableResult
    package func sendDue() async -> Int {
        await ConnectionOwner.$current.withValue(ConnectionOwner("installation mail")) {
            do {
                var count = 0
                for due in try await takeDue() {
                    if await send(due) { count += 1 }
                }
                return count
            } catch {
                warn(error)
                return 0
            }
        }
    }

    /// Codes go first. Invitations leave them half of the campaigns that the account may have unfinished, however many people are
    /// invited and however slowly their receivers take mail.
    private func takeDue() async throws -> [PendingMail] {
        let codes = try await pending.takeCodes()
        guard codes.isEmpty, try await campaigns.hasHalfItsRoom(mail.account) else { return codes }
        return try await pending.takeInvitations()
    }

    private func send(_ due: PendingMail) async -> Bool {
        do {
            let draft = try await campaigns.create(mail.account, mail.request(for: due))
            do {
                _ = try await campaigns.importRecipients(
                    mail.account, draft.id, format: .ndjson, source: OneLine(octets: try mail.recipient(of: due)))
                _ = try await campaigns.send(mail.account, draft.id) { connection, _ in
                    try await pending.settle(due, on: connection)
                }
            } catch {
                _ = try? await campaigns.deleteDraft(mail.account, draft.id)
                throw error
            }
            return true
        } catch is MailNotWanted {
            return false
        } catch {
            warn(error)
            return false
        }
    }

    private func warn(_ error: any Error) {
        guard !Task.isCancelled else { return }
        logger.warning("mail of the installation not sent yet", metadata: ["error": "\(error)"])
    }
}

/// An upload of one piece.
private struct OneLine: AsyncSequence, AsyncIteratorProtocol {
    var octets: [UInt8]?

    mutating func next() async -> [UInt8]? {
        defer { octets = nil }
        return octets
    }

    func makeAsyncIterator() -> OneLine { self }
}
