/// Every bound of the ledger in one place.
package enum LedgerLimits {
    /// The largest balance, hold and limit of an account. Two of them still fit an `Int64`, so that no sum that the
    /// ledger forms can overflow. The tables check the same bound.
    package static let maximumCredits: Int64 = 1 << 61
    package static let nameCharacters = 200
    package static let keyOctets = 255
    package static let memoOctets = 1_000
    /// The largest page of entries or accounts.
    package static let pageRows = 1_000
    /// Problems that a verification lists; it goes on counting.
    package static let listedProblems = 1_000
}
