package import MailTypes
package import Postgres
import Vault

/// Names a user. Unique over all accounts and operators, and no secret.
package struct UserID: NumberedID {
    package static let prefix = "usr_"
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }
}

/// To whom a user belongs, and what they may do there.
package enum UserKind: Sendable, Hashable {
    /// Of a customer's account.
    case member(AccountID, Role)
    /// Of the installation. Operators have no account, so no call about one is theirs.
    case installationOperator

    /// The installation where it is none of a customer.
    package var account: AccountID {
        switch self {
        case .member(let account, _): account
        case .installationOperator: Vault.installation
        }
    }

    /// Nil for operators.
    package var role: Role? {
        switch self {
        case .member(_, let role): role
        case .installationOperator: nil
        }
    }

    /// `manager`, `operator`: as it is stored and shown.
    package var name: String { role?.rawValue ?? Self.operatorName }

    /// - Throws: `PostgresError` where somebody has damaged the row, or a newer version knows further roles: they allow nothing
    ///   here.
    init(account: Int64, stored name: String) throws {
        if account == Vault.installation.rawValue, name == Self.operatorName {
            self = .installationOperator
        } else if let role = Role(rawValue: name) {
            self = .member(AccountID(rawValue: account), role)
        } else {
            throw PostgresError(.decoding, "a user's role cannot be read")
        }
    }

    private static let operatorName = "operator"
}

/// A person who signs in.
package struct User: Sendable, Hashable {
    package let id: UserID
    package let kind: UserKind
    /// What they sign in with.
    package let address: EmailAddress
    package let createdAt: PostgresTimestamp
    package let lastSignInAt: PostgresTimestamp?
    /// What they are called; nil where they have not said so.
    package let name: String?
    /// Whether they have one that counts.
    package let hasSecondFactor: Bool
}
