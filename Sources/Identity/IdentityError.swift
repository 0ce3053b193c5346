/// Why an API key could not be made.
package enum IdentityError: String, Error, Sendable, Hashable, CaseIterable {
    case accountNotFound = "account_not_found"
    /// The account has no such key, or it is revoked.
    case keyNotFound = "api_key_not_found"
    /// Empty, longer than ``IdentityLimits/nameCharacters`` or with control characters.
    case invalidName = "invalid_key_name"
    /// None, or one that nobody knows.
    case invalidScopes = "invalid_scopes"
    /// Not addresses and prefixes, or more than ``IdentityLimits/networks``.
    case invalidNetworks = "invalid_networks"
    /// Over already.
    case invalidExpiry = "invalid_expiry"
    /// Outside ``IdentityLimits/requestsPerMinute``.
    case invalidRequestLimit = "invalid_request_limit"
    /// More than the key that asks for it may do itself.
    case exceedsOwnTerms = "exceeds_own_key"
    /// The account has ``IdentityLimits/keys`` already.
    case tooManyKeys = "too_many_api_keys"

    /// A stable name for programs.
    package var code: String { rawValue }
}

extension IdentityError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .accountNotFound: "there is no such account"
        case .keyNotFound: "the account has no such key, or it is revoked"
        case .invalidName: "a key's name has 1 to \(IdentityLimits.nameCharacters) characters, no control characters"
        case .invalidScopes:
            "a key needs scopes: " + Scope.allCases.map(\.rawValue).joined(separator: ", ")
                + "; resource:* means all of a resource, * means everything"
        case .invalidNetworks:
            "networks are addresses or CIDR prefixes such as 192.0.2.0/24 with no bits set behind the prefix, "
                + "at most \(IdentityLimits.networks)"
        case .invalidExpiry: "the key would have expired already"
        case .invalidRequestLimit:
            "a key has \(IdentityLimits.requestsPerMinute.lowerBound) to "
                + "\(IdentityLimits.requestsPerMinute.upperBound) requests a minute"
        case .exceedsOwnTerms: "a key makes no key with more scopes, from more networks or for longer than itself"
        case .tooManyKeys: "the account has as many API keys as it may; revoke some of them"
        }
    }
}
