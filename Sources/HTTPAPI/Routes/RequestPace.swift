import MailTypes
import Synchronization

/// Bounds how often an account may do something: a burst at once, then so many a second (a token bucket each).
final class RequestPace: Sendable {
    private struct Bucket {
        var tokens: Double
        var filledAt: ContinuousClock.Instant
    }

    private let burst: Double
    private let perSecond: Double
    private let buckets = Mutex<[AccountID: Bucket]>([:])

    init(burst: Double, perSecond: Double) {
        self.burst = burst
        self.perSecond = perSecond
    }

    /// - Throws: ``Problem/tooManyRequests``
    func take(_ account: AccountID, at now: ContinuousClock.Instant = .now) throws {
        let isGranted = buckets.withLock { buckets in
            if buckets.count > Self.accounts { buckets = buckets.filter { level(of: $0.value, now) < burst } }
            let tokens = buckets[account].map { level(of: $0, now) } ?? burst
            buckets[account] = Bucket(tokens: tokens >= 1 ? tokens - 1 : tokens, filledAt: now)
            return tokens >= 1
        }
        guard isGranted else { throw Problem.tooManyRequests }
    }

    /// Before full buckets are forgotten.
    private static let accounts = 1_000

    private func level(of bucket: Bucket, _ now: ContinuousClock.Instant) -> Double {
        let (seconds, attoseconds) = (now - bucket.filledAt).components
        return min(burst, bucket.tokens + perSecond * (Double(seconds) + Double(attoseconds) * 1e-18))
    }
}
