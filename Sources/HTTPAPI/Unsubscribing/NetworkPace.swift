import Synchronization

/// Bounds how fast one network may ask the public pages: so much at once, then so much a second (a token bucket each).
final class NetworkPace: Sendable {
    private struct Bucket {
        var tokens: Double
        var filledAt: ContinuousClock.Instant
    }

    private let burst: Double
    private let perSecond: Double
    private let mostNetworks: Int
    private let buckets = Mutex<[ClientNetwork: Bucket]>([:])

    init(burst: Double, perSecond: Double, mostNetworks: Int = 65_536) {
        self.burst = burst
        self.perSecond = perSecond
        self.mostNetworks = mostNetworks
    }

    /// - Parameter cost: what the request counts.
    /// - Returns: false where the network has used up what it may.
    func take(_ network: ClientNetwork, cost: Double, at now: ContinuousClock.Instant = .now) -> Bool {
        buckets.withLock { buckets in
            if buckets.count >= mostNetworks, buckets[network] == nil {
                buckets = buckets.filter { level(of: $0.value, now) < burst }
                // More networks at once than are kept: none is held back, rather than one that did nothing.
                if buckets.count >= mostNetworks { buckets = [:] }
            }
            let tokens = buckets[network].map { level(of: $0, now) } ?? burst
            let isGranted = tokens >= cost
            buckets[network] = Bucket(tokens: isGranted ? tokens - cost : tokens, filledAt: now)
            return isGranted
        }
    }

    private func level(of bucket: Bucket, _ now: ContinuousClock.Instant) -> Double {
        let (seconds, attoseconds) = (now - bucket.filledAt).components
        return min(burst, bucket.tokens + perSecond * (Double(seconds) + Double(attoseconds) * 1e-18))
    }
}
