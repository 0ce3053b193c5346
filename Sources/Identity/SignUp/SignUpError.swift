/// Why a stranger gets no account.
package enum SignUpError: Error, Sendable, Hashable {
    /// The operator makes the accounts of this installation, or nobody sends its mail.
    case closed
    /// Longer than ``PeopleLimits/accountNameCharacters``, empty, or with what would become a link in a mail or cannot be seen.
    case invalidAccountName
    /// As many have asked as may within a day: from this network, with this address, or all together. After so many seconds
    /// there is another.
    case tooMany(seconds: Int)
}
