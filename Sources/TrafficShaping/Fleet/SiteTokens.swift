/// A node's part in a rate that holds for the whole fleet.
///
/// A central store keeps one bucket for each site (arithmetic as in ``TokenBucket``); a node leases tokens from it in
/// chunks, enough for a moment, and spends them without asking again. Tokens of a chunk end with its lease, so that a
/// node that stood still does not spend them on top of what others have leased since. While the store cannot be reached
/// the node keeps to its safe share, the rate divided by the nodes.
///
/// In any t seconds the fleet sends at most rate × t + burst of the store + one chunk for each node. The same holds where
/// no node reaches the store. Where some do and some do not, the shares of those that do not come on top, until the
/// store's rate is lowered by the share of nodes that have not been heard of.
///
///     if !tokens.take(at: now) {
///         let asked = tokens.wanted(forQueued: queue.count, at: now)
///         tokens.leased(try await store.lease(asked), at: now)     // or tokens.storeFailed(at: now)
///     }
package struct SiteTokens: Sendable {
    /// Seconds for which a chunk lasts, and after which it ends.
    package static let leaseSeconds = 2.0
    /// Seconds until a store that gave nothing or did not answer is asked again.
    package static let pauseSeconds = 0.5

    private let rate: MessageRate
    private let nodes: Int
    private var held = 0
    private var leaseEndsAt = -SteadySeconds.infinity
    private var asksAgainAt = -SteadySeconds.infinity
    /// In use while the store cannot be reached.
    private var safeShare: TokenBucket?

    /// - Parameter nodes: nodes that share the rate, this one included.
    package init(rate: MessageRate, nodes: Int) {
        precondition(nodes >= 1, "this node is one")
        self.rate = rate
        self.nodes = nodes
    }

    /// The most tokens leased at once: what the node may use in a lease, and as much again as its equal share, so that a
    /// busy node gets more than an idle one and yet never all.
    package var chunk: Int {
        let all = rate.perSecond * Self.leaseSeconds
        return max(1, Int(min(all, 2 * all / Double(nodes))))
    }

    /// Spends one token.
    package mutating func take(at now: SteadySeconds) -> Bool {
        if held > 0 && now < leaseEndsAt {
            held -= 1
            return true
        }
        guard safeShare != nil else { return false }
        return safeShare!.take(at: now) == nil
    }

    /// How many tokens to ask the store for now: 0 while there are enough, or while it is not to be asked again yet.
    package func wanted(forQueued queued: Int, at now: SteadySeconds) -> Int {
        guard now >= asksAgainAt else { return 0 }
        let left = now < leaseEndsAt ? held : 0
        return max(0, min(queued, chunk) - left)
    }

    /// The store has granted so many.
    package mutating func leased(_ count: Int, at now: SteadySeconds) {
        safeShare = nil
        // Together no more than a chunk, so that topping up does not keep old tokens alive for ever.
        held = min(chunk, (now < leaseEndsAt ? held : 0) + count)
        leaseEndsAt = now + Self.leaseSeconds
        asksAgainAt = count == 0 ? now + Self.pauseSeconds : now
    }

    /// The store did not answer.
    package mutating func storeFailed(at now: SteadySeconds) {
        if safeShare == nil {
            let share = rate.perSecond / Double(nodes)
            safeShare = TokenBucket(rate: share, burst: share * Self.pauseSeconds)
        }
        asksAgainAt = now + Self.pauseSeconds
    }
}
