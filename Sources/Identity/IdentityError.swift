/// Why an API key could not be made.
package enum IdentityError: String, Error, Sendable, Hashable {
    case accountNotFound = "account_not_found"
    /// Empty, longer than ``IdentityLimits/nameCharacters`` or with control characters.
    case invalidName = "invalid_key_name"

    /// A stable name for programs.
    package var code: String { rawValue }
}
