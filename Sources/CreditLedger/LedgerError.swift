/// Why the ledger refused. A refusal changes nothing, and the caller's transaction stays usable.
package enum LedgerError: Error, Sendable, Hashable {
    case accountNotFound
    /// Empty, longer than ``LedgerLimits/nameCharacters`` or with control characters.
    case invalidName
    case accountNameTaken
    /// An amount below its least value, or a settlement of more than the hold has.
    case invalidAmount
    /// A balance or a sum would pass ``LedgerLimits/maximumCredits``.
    case overflow
    /// Empty, longer than ``LedgerLimits/keyOctets`` or with other than visible ASCII characters.
    case invalidKey
    case memoTooLong
    /// Not 32 octets.
    case invalidDigest
    /// - missing: credits to buy before the same request can succeed
    /// - available: posted − held + limit at the time of the refusal
    case insufficientCredits(missing: Int64, available: Int64)
    /// The key was used before, for another request.
    case idempotencyConflict
    /// A batch can be reserved once.
    case holdExists(batch: Int32)
    case holdNotFound(batch: Int32)
    /// A hold resolves exactly once.
    case holdAlreadyResolved(batch: Int32)
    /// The database did not change the rows that the ledger had locked: a bug or a hand in the tables. Roll back.
    case inconsistent

    /// A stable name for programs, such as `insufficient_credits`.
    package var code: String {
        switch self {
        case .accountNotFound: "account_not_found"
        case .invalidName: "invalid_account_name"
        case .accountNameTaken: "account_name_taken"
        case .invalidAmount: "invalid_amount"
        case .overflow: "amount_too_large"
        case .invalidKey: "invalid_idempotency_key"
        case .memoTooLong: "memo_too_long"
        case .invalidDigest: "invalid_digest"
        case .insufficientCredits: "insufficient_credits"
        case .idempotencyConflict: "idempotency_conflict"
        case .holdExists: "hold_exists"
        case .holdNotFound: "hold_not_found"
        case .holdAlreadyResolved: "hold_already_resolved"
        case .inconsistent: "ledger_inconsistent"
        }
    }
}
