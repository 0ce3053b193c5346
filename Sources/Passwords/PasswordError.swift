/// Why a password is not taken.
package enum PasswordError: String, Error, Sendable, Hashable, CaseIterable {
    /// Fewer than ``PasswordRules/leastCharacters``.
    case tooShort = "password_too_short"
    /// More than ``PasswordRules/mostOctets``: bcrypt would not look at the rest.
    case tooLong = "password_too_long"
    /// Control characters, NUL among them, which would end it early.
    case unreadable = "password_unreadable"
    /// Among those that are tried first: in the list, a run of keys, or made of its owner's address.
    case tooCommon = "password_too_common"
    /// As many hashes wait as may. Try again in some seconds.
    case busy = "password_busy"
    /// The library refused.
    case failed = "password_failed"

    /// A stable name for programs.
    package var code: String { rawValue }
}

extension PasswordError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooShort: "a password has at least \(PasswordRules.leastCharacters) characters"
        case .tooLong: "a password has at most \(PasswordRules.mostOctets) octets in UTF-8"
        case .unreadable: "a password has no control characters"
        case .tooCommon:
            "the password is among the first that are tried: a known one, a run of keys, or the owner's address"
        case .busy: "too many passwords are being checked at the moment; try again in some seconds"
        case .failed: "the password could not be hashed"
        }
    }
}
