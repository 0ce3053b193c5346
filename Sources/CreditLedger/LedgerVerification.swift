/// What recomputing the books found.
package struct LedgerVerification: Sendable, Hashable {
    /// Accounts read.
    package internal(set) var accounts = 0
    /// Entries read.
    package internal(set) var entries = 0
    /// The first ``LedgerLimits/listedProblems`` findings, each with the account's number and no personal data.
    package internal(set) var problems: [String] = []
    /// All findings.
    package internal(set) var problemCount = 0
    /// SHA-256 over number, entry count and chain head of every account, in order of their numbers. Kept outside the
    /// database, it shows later that the end of a book was not cut off: see ``CreditLedger/verify(on:)``.
    package internal(set) var anchor: [UInt8] = []
    /// The last entry of each book, to be noted outside the database: a later verification is given them.
    package internal(set) var anchors = LedgerAnchors()

    package init() {}

    mutating func report(_ problem: String) {
        problemCount += 1
        if problems.count < LedgerLimits.listedProblems { problems.append(problem) }
    }
}
