import Synchronization

/// Bounds how many broken links one network may try: so much at once, then so much a second (a token bucket each).
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

    /// Whether the network has that much left. Takes nothing.
    func bears(_ cost: Double, from network: ClientNetwork, at now: ContinuousClock.Instant = .now) -> Bool {
        buckets.withLock { buckets in
            guard let bucket = buckets[network] else { return burst >= cost }
            return level(of: bucket, now) >= cost
        }
    }

    /// Takes the cost, or what is left where that is less.
    func charge(_ cost: Double, to network: ClientNetwork, at now: ContinuousClock.Instant = .now) {
        buckets.withLock { buckets in
            if buckets.count >= mostNetworks, buckets[network] == nil {
                buckets = buckets.filter { level(of: $0.value, now) < burst }
                // More networks at once than are kept: none is held back, rather than one that did nothing.
                if buckets.count >= mostNetworks { buckets = [:] }
            }
            let tokens = buckets[network].map { level(of: $0, now) } ?? burst
            buckets[network] = Bucket(tokens: max(0, tokens - cost), filledAt: now)
        }
    }

    private func level(of bucket: Bucket, _ now: ContinuousClock.Instant) -> Double {
        let (seconds, attoseconds) = (now - bucket.filledAt).components
        return min(burst, bucket.tokens + perSecond * (Double(seconds) + Double(attoseconds) * 1e-18))
    }
}
