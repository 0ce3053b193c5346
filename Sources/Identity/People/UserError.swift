/// Why a user could not be made or changed.
package enum UserError: String, Error, Sendable, Hashable, CaseIterable {
    case accountNotFound = "account_not_found"
    /// The account, or the installation, has no such user.
    case userNotFound = "user_not_found"
    /// No mailbox on the Internet.
    case invalidAddress = "invalid_user_address"
    /// Somebody signs in with it already, maybe at another account.
    case addressTaken = "user_address_taken"
    /// The account has ``PeopleLimits/users`` already.
    case tooManyUsers = "too_many_users"
    /// An account with users has an owner.
    case lastOwner = "last_owner"
    /// Why an operator did something is missing, or longer than it may be.
    case invalidReason = "invalid_reason"
    /// The account has no users yet, and the first one is its owner.
    case firstIsOwner = "first_user_not_owner"
    /// Empty, longer than ``PeopleLimits/nameCharacters`` or with control characters.
    case invalidName = "invalid_user_name"
    /// A role above that of who gives it, or a user who has one.
    case aboveOwnRole = "above_own_role"

    /// A stable name for programs.
    package var code: String { rawValue }
}

extension UserError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .accountNotFound: "there is no such account"
        case .userNotFound: "there is no such user"
        case .invalidAddress: "a user signs in with an email address such as ada@example.org"
        case .addressTaken: "somebody signs in with this address already"
        case .tooManyUsers: "at most \(PeopleLimits.users) users; remove some of them"
        case .lastOwner: "an account has an owner as long as it has users: make somebody else owner first"
        case .invalidReason:
            "a reason has 1 to \(PeopleLimits.reasonCharacters) characters, none of them a control character"
        case .firstIsOwner: "the first user of an account is its owner"
        case .invalidName: "a name has 1 to \(PeopleLimits.nameCharacters) characters, no control characters"
        case .aboveOwnRole: "nobody gives a role above their own, or touches somebody who has one"
        }
    }
}
