import MailTypes
package import Postgres
package import Vault

/// Acts on the tokens of List-Unsubscribe links (RFC 8058): the recipient is put on the suppression list of the account
/// that mailed them.
package struct Unsubscriber: Sendable {
    private static let owner = ConnectionOwner("unsubscribe links")

    private let records: PostgresPool
    private let vault: Vault
    private let suppressions: SuppressionList
    private let feedback: FeedbackIntake

    /// - Parameter feedback: takes in that a recipient wants no more; if nil, one that has nothing else to do.
    package init(
        records: PostgresPool, vault: Vault, suppressions: SuppressionList, feedback: FeedbackIntake? = nil
    ) {
        self.records = records
        self.vault = vault
        self.suppressions = suppressions
        self.feedback = feedback ?? FeedbackIntake(records: records, followers: [])
    }

    /// Whom the token names; nil where it is not ours. Changes nothing.
    package func recipient(_ text: String) async throws -> RecipientToken? { try await verified(text) }

    /// - Returns: false for a token that is not ours. A repeated call is as good as the first.
    package func unsubscribe(_ text: String) async throws -> Bool {
        guard let token = try await verified(text) else { return false }
        // Recipients have a share of their own: what the account itself does must not keep them.
        try await ConnectionOwner.$current.withValue(.recipients(ofAccount: token.account.rawValue)) {
            _ = try await records.withTransaction { connection in
                try await feedback.take(
                    [FeedbackEvent(token, .unsubscribe, by: .link, reason: "unsubscribe")], on: connection)
                // Also where the fact is known: the address may have been taken off the list since.
                return try await suppressions.add(
                    [NewSuppression(token.fingerprint, .unsubscribe)], account: token.account, origin: .recipient,
                    on: connection)
            }
        }
        return true
    }

    private func verified(_ text: String) async throws -> RecipientToken? {
        guard let unverified = RecipientToken.Unverified(text) else { return nil }
        // Anybody may make links up: what they look up takes no connections that a customer waits for.
        let keys = try await ConnectionOwner.$current.withValue(Self.owner) {
            try await vault.existingAccountKeys(unverified.account)
        }
        guard let keys else { return nil }
        return unverified.verified(with: keys)
    }
}
