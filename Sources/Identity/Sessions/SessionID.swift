package import MailTypes

/// Names a session. No secret: only its token and its refresh secret open it.
package struct SessionID: NumberedID {
    package static let prefix = "ses_"
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// Whom a valid session stands for.
package struct AuthenticatedUser: Sendable, Hashable {
    package let session: SessionID
    package let user: UserID
    package let kind: UserKind
    package let address: EmailAddress
    /// The account demands a second factor, and the user has none: until then they may do nothing but add one.
    package let lacksDemandedFactor: Bool
    /// Of the user and of the account: a token of another one is no good.
    let generation: SessionGeneration

    /// The customer's account.
    ///
    /// Nil for operators.
    package var account: AccountID? {
        switch kind {
        case .member(let account, _): account
        case .installationOperator: nil
        }
    }
}

/// How often all sessions of a user, and of their account, have been ended. It counts and tells no time: whoever signs in
/// within the second after is in the next one.
struct SessionGeneration: Sendable, Hashable, Codable {
    let user: Int64
    let account: Int64
}
