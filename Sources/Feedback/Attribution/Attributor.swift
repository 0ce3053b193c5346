import Foundation
package import MailMessage
import MailTypes
package import Vault

/// Whom a report is about, and what told it.
package struct Attribution: Sendable, Hashable {
    package let recipient: RecipientToken
    package let place: TokenPlace
}

/// What a text that may be a token is.
package enum TokenVerdict: Sendable, Hashable {
    case valid(RecipientToken)
    /// Ours, of a campaign too old for bounces and complaints.
    case expired(RecipientToken)
    /// Damaged, made up, or another installation's.
    case foreign
}

/// Tells whom reports are about by the tokens in them, of which any one is enough, and believes nothing else: not the
/// addresses that a report names, and not where it comes from. Needs no campaign, so it works after the purge.
package struct Attributor: Sendable {
    private let vault: Vault
    private let milliseconds: @Sendable () -> Int64

    /// - Parameter milliseconds: the time since 1970.
    package init(vault: Vault, milliseconds: @escaping @Sendable () -> Int64 = Attributor.wallClock) {
        self.vault = vault
        self.milliseconds = milliseconds
    }

    package static let wallClock: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1_000) }

    /// - Throws: `VaultError`, `PostgresError`: nothing is known then.
    package func verify(_ text: String) async throws -> TokenVerdict {
        guard let unverified = RecipientToken.Unverified(text),
            let keys = try await vault.existingAccountKeys(unverified.account),
            let token = unverified.verified(with: keys)
        else { return .foreign }
        return token.isExpired(atMilliseconds: milliseconds()) ? .expired(token) : .valid(token)
    }

    /// Whom the mail is about; nil where no valid token of ours is in it.
    ///
    /// - Parameter envelope: whose return path it came to. That alone counts where it is known: what else stands in the
    ///   mail anybody may have written, and a mail that is returned may hold others.
    package func attribute(_ mail: ReceivedMail, envelope: RecipientToken? = nil) async throws -> Attribution? {
        if let envelope { return Attribution(recipient: envelope, place: .envelope) }
        for candidate in TokenSearch(mail).candidates {
            if case .valid(let token) = try await verify(candidate.text) {
                return Attribution(recipient: token, place: candidate.place)
            }
        }
        return nil
    }

    /// What the mail says of the recipient; nil where it says nothing that lasts: an automatic answer, a receipt, an
    /// ordinary mail.
    ///
    /// The report may name another address, to which the recipient's mail is passed on: it is the recipient's failure all
    /// the same. Where it names several, the recipient's own counts; if that is not among them, the address is called
    /// dead only where all of them are.
    package func event(
        of classification: MailClassification, about recipient: RecipientToken
    ) async throws -> FeedbackEvent? {
        switch classification.kind {
        case .autoReply, .notABounce: return nil
        case .complaint: return Self.complaint(classification, recipient)
        case .bounce, .delayed:
            let named = try await named(recipient, in: classification)
            guard let told = named ?? classification.told else { return nil }
            let fact: FeedbackFact =
                classification.kind == .delayed ? .delay : told.consequence == .suppress ? .hardBounce : .softBounce
            return FeedbackEvent(
                recipient, fact, by: .notice, reason: told.reason, enhanced: told.enhanced, smtpCode: told.smtpCode)
        }
    }

    private static func complaint(_ classification: MailClassification, _ recipient: RecipientToken) -> FeedbackEvent? {
        guard let wish = classification.recipients.first(where: { $0.consequence == .suppress }) else { return nil }
        return FeedbackEvent(recipient, .complaint, by: .report, reason: complaintType(wish.reason))
    }

    /// A Feedback-Type is the reporter's word.
    private static func complaintType(_ type: String) -> String {
        let isPlain = type.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "-") }
        return (1...40).contains(type.utf8.count) && isPlain ? type : "other"
    }

    private func named(
        _ recipient: RecipientToken, in classification: MailClassification
    ) async throws -> RecipientClassification? {
        guard classification.recipients.count > 1,
            let fingerprinter = try await vault.existingAccountKeys(recipient.account)?.fingerprinter
        else { return nil }
        return classification.recipients.first { told in
            guard let address = told.address.flatMap({ try? EmailAddress($0) }) else { return false }
            return fingerprinter.fingerprint(address) == recipient.fingerprint
        }
    }
}

extension MailClassification {
    /// Of whom it says least.
    fileprivate var told: RecipientClassification? {
        recipients.first { $0.consequence != .suppress } ?? recipients.first
    }
}
