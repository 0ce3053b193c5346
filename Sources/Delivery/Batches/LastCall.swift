/// Until when mail of a campaign that expires may start.
enum LastCall {
    /// Who waits for a connection when the campaign expires has so long for a last attempt, in seconds.
    static let graceSeconds: Int64 = 10
    /// And who is claimed after it, because that was the last time to come back or no node was there before.
    static let lateSeconds: Int64 = 60
    /// Longer than any campaign lasts.
    private static let mostSeconds: Int64 = 315_360_000

    /// - Parameters:
    ///   - expiry: seconds since 1970.
    ///   - isExpired: it had passed when the batch was claimed.
    ///   - now: seconds since 1970.
    /// - Returns: the seconds from now.
    static func after(expiry: Int64, isExpired: Bool, now: Int64) -> Double {
        if isExpired { return Double(lateSeconds) }
        let left = expiry.subtractingReportingOverflow(now)
        return Double((left.overflow ? mostSeconds : min(mostSeconds, max(0, left.partialValue))) + graceSeconds)
    }
}
