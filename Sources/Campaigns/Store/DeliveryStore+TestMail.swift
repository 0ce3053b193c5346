import Feedback
import MailMessage
import MailTypes
package import Vault

/// What comes back of test mail, which no server brings.
extension DeliveryStore {
    /// Takes in a mail of a feedback loop, as the server of the return paths does: classified, attributed by the token in it,
    /// and committed with what follows from it.
    ///
    /// - Returns: whether it told of a recipient of ours.
    @discardableResult
    package func takeComplaint(_ mail: [UInt8]) async throws -> Bool {
        let attributor = Attributor(vault: vault)
        guard let found = try await attributor.attribute(ReceivedMail(mail)),
            let event = try await attributor.event(of: MailClassifier.classify(mail), about: found.recipient)
        else { return false }
        try await feedback.take([event])
        return true
    }

    /// Takes in that a recipient wants no more, as a mail to the List-Unsubscribe address says it.
    package func takeUnsubscribe(_ recipient: RecipientToken) async throws {
        try await feedback.take([FeedbackEvent(recipient, .unsubscribe, by: .mailto, reason: "unsubscribe")])
    }
}
