/// Why an API key could not be made.
package enum IdentityError: String, Error, Sendable, Hashable {
    case accountNotFound = "account_not_found"
    /// Empty, longer than ``IdentityLimits/nameCharacters`` or with control characters.
    case invalidName = "invalid_key_name"
    /// The account has ``IdentityLimits/keys`` already.
    case tooManyKeys = "too_many_api_keys"

    /// A stable name for programs.
    package var code: String { rawValue }
}

extension IdentityError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooManyKeys: "an account has at most \(IdentityLimits.keys) API keys; revoke some of them"
        case .accountNotFound: "there is no such account"
        case .invalidName: "a key's name has 1 to \(IdentityLimits.nameCharacters) characters, no control characters"
        }
    }
}
