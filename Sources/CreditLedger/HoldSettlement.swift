/// How one batch's hold resolves. What is neither charged nor carried is released.
struct HoldSettlement: Sendable {
    let batch: Int32
    let charged: Int64
    /// New holds that take over credits of this one, for the batches of a later attempt.
    let carried: [(batch: Int32, amount: Int64)]

    /// The sum of ``carried``, or nil where an amount is negative or the sum overflows.
    var carriedTotal: Int64? { carried.map(\.amount).sumOfCredits }
}

extension Sequence<Int64> {
    /// The sum, or nil where an element is negative or the sum exceeds what an account can hold.
    var sumOfCredits: Int64? {
        var total: Int64 = 0
        for amount in self {
            guard amount >= 0, amount <= LedgerLimits.maximumCredits - total else { return nil }
            total += amount
        }
        return total
    }
}
