package import Feedback
package import MailTypes
import Postgres
package import Vault

/// What a campaign has found of an address: its mail was refused for good.
package struct FoundAddress: Sendable, Hashable {
    package let fingerprint: Fingerprint
    package let campaign: CampaignID
    package let finding: AddressFinding
    /// That refused it.
    package let reply: RecipientReply

    package init(
        _ fingerprint: Fingerprint, in campaign: CampaignID, _ finding: AddressFinding, _ reply: RecipientReply = .none
    ) {
        self.fingerprint = fingerprint
        self.campaign = campaign
        self.finding = finding
        self.reply = reply
    }

    /// As whoever follows facts is told.
    func event(of account: AccountID) -> FeedbackEvent {
        let token = RecipientToken(account: account, campaign: campaign, fingerprint: fingerprint)
        // Without a code a name server was asked, or nobody.
        let reason =
            reply.code == 0
            ? (finding == .dead ? FeedbackReason.hostunknown : .undefined)
            : ReplyClassifier.classify(code: Int(reply.code), enhanced: reply.enhanced, text: reply.text).reason
        return FeedbackEvent(
            token, finding == .missing ? .hardBounce : .softBounce, by: .reply, reason: reason.rawValue,
            enhanced: reply.enhanced, smtpCode: reply.code == 0 ? nil : Int(reply.code))
    }
}

extension DeliveryStore {
    /// Which of these each account must not mail at this moment. One statement for all accounts.
    package func suppressed(_ addressees: [AccountID: [Addressee]]) async throws -> [AccountID: Set<Fingerprint>] {
        let asked = addressees.filter { !$0.value.isEmpty }
        guard !asked.isEmpty else { return [:] }
        return try await journal.withConnection { connection in
            try await suppressions.which(of: asked, on: connection)
        }
    }

    /// Takes in what replies told as facts, one statement for all: addresses whose servers said that they do not exist are
    /// suppressed. So are those that have been found dead by several campaigns. To say the same of a campaign again changes
    /// nothing.
    ///
    /// - Parameter deadAfter: campaigns that must find an address dead; 0 for never.
    func note(
        _ found: [(account: AccountID, addresses: [FoundAddress])], deadAfter: Int, on connection: PostgresConnection
    ) async throws {
        var events: [FeedbackEvent] = []
        var dead: Set<DeadAddresses.Found> = []
        for (account, addresses) in found {
            for address in addresses {
                events.append(address.event(of: account))
                if address.finding == .dead, deadAfter > 0 {
                    dead.insert(.init(account, address.fingerprint, in: address.campaign))
                }
            }
        }
        // Before the suppressions, so that two nodes cannot wait for each other.
        let suppressed = try await DeadAddresses.note(dead, suppressAfter: deadAfter, on: connection)
        try await feedback.take(events, on: connection)
        try await suppressions.addHardBounces(suppressed, on: connection)
    }
}
