package import MailTypes

/// Names a session. No secret: only its token and its refresh secret open it.
///
/// Text form: `ses_` and the decimal number.
package struct SessionID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    package init?(_ text: String) {
        guard text.hasPrefix(Self.prefix), let value = Int64(text.dropFirst(Self.prefix.count)), value > 0,
            text == "\(Self.prefix)\(value)"
        else { return nil }
        rawValue = value
    }

    package var description: String { "\(Self.prefix)\(rawValue)" }

    private static let prefix = "ses_"
}

/// Whom a valid session stands for.
package struct AuthenticatedUser: Sendable, Hashable {
    package let session: SessionID
    package let user: UserID
    package let kind: UserKind
    package let address: EmailAddress
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
