/// Why a request under an idempotency key cannot go on.
package enum IdempotencyError: String, Error, Sendable, Hashable, CaseIterable {
    /// Empty, longer than 255 octets or with other than visible ASCII characters.
    case invalidKey = "invalid_idempotency_key"
    /// The key came before with another request.
    case differentRequest = "idempotency_key_reused"
    /// Another transaction answered the same request first: roll back, then
    /// ``IdempotencyStore/find(account:key:scope:on:)`` has its answer.
    case alreadyAnswered = "idempotency_already_answered"
    /// The answer is larger than ``IdentityLimits/bodyOctets``.
    case answerTooLarge = "idempotency_answer_too_large"
    /// The account has ``IdentityLimits/answers`` already.
    case tooManyAnswers = "too_many_idempotency_keys"

    /// A stable name for programs.
    package var code: String { rawValue }
}
