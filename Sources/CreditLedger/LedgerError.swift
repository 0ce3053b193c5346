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
    /// A line of ``LedgerAnchors`` that is none, or names an account again.
    case invalidAnchor(line: Int)
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
        case .invalidAnchor: "invalid_anchor"
        case .inconsistent: "ledger_inconsistent"
        }
    }
}

extension LedgerError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .accountNotFound: "there is no such account"
        case .invalidName: "an account's name has 1 to \(LedgerLimits.nameCharacters) characters, no control characters"
        case .accountNameTaken: "another account has this name"
        case .invalidAmount: "the amount is below its least value: grants are positive, holds and charges not negative"
        case .overflow: "the credits would grow beyond \(LedgerLimits.maximumCredits)"
        case .invalidKey: "an idempotency key has 1 to \(LedgerLimits.keyOctets) visible ASCII characters"
        case .memoTooLong: "the memo is too long"
        case .invalidDigest: "a digest has 32 octets"
        case .insufficientCredits(let missing, let available):
            "\(missing) credits are missing; \(available) are available"
        case .idempotencyConflict: "this idempotency key was used before, for another request"
        case .holdExists(let batch): "batch \(batch) has a hold already"
        case .holdNotFound(let batch): "batch \(batch) has no hold"
        case .holdAlreadyResolved(let batch): "the hold of batch \(batch) was resolved before"
        case .invalidAnchor(let line): "line \(line) is no anchor: account, entry and chain value, each account once"
        case .inconsistent: "the ledger's rows did not change as they should have: run `sluice ledger verify`"
        }
    }
}
