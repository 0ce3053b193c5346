import Foundation
package import MailTypes

/// Chooses the source a mail leaves from, among those of a pool.
///
/// A mail has the same source in each attempt and on each node, so that a receiver that greylists the address it comes
/// from meets the same one again. Sources take part by their weights (weighted rendezvous hashing). One that rests at the
/// site, or has used up the day's allowance of its warm-up, is passed over: its mail goes to the others, and no other
/// mail changes its source for that.
///
///     let choice = pool.choose(
///         for: key, onDay: today, sentToday: { counts[$0.address] ?? 0 }, restsUntil: { lanes[$0.address]?.end })
package struct SourcePool: Sendable, Hashable {
    package enum Choice: Sendable, Hashable {
        case source(MailSource)
        /// All that could take it rest; the first comes back then.
        case laterAt(SteadySeconds)
        /// All have sent what they may today.
        case laterThanToday
    }

    package let name: String
    package let sources: [MailSource]
    /// Of the addresses of ``sources``.
    private let hashes: [UInt64]

    /// - Parameter sources: one or more; those of other pools are left out.
    package init(name: String, sources: [MailSource]) {
        self.name = name
        self.sources = sources.filter { $0.pool == name }
        hashes = self.sources.map { Self.hash($0.address.utf8) }
        precondition(!self.sources.isEmpty, "a pool without sources sends nothing")
    }

    /// - Parameters:
    ///   - key: of sender and recipient, from ``key(_:)``.
    ///   - day: days since 1970 (UTC).
    ///   - sentToday: mails the source has sent to the provider on that day, those under way included; asked only for
    ///     sources that warm up.
    ///   - restsUntil: when the source's suspension at the site ends; nil where there is none.
    package func choose(
        for key: UInt64, onDay day: Int, sentToday: (MailSource) -> Int, restsUntil: (MailSource) -> SteadySeconds?
    ) -> Choice {
        var best: (index: Int, score: Double)?
        var firstBack: SteadySeconds?
        for (index, source) in sources.enumerated() {
            if let allowance = source.warmUp?.allowance(onDay: day), sentToday(source) >= allowance { continue }
            if let until = restsUntil(source) {
                firstBack = min(firstBack ?? until, until)
                continue
            }
            let score = Self.score(key, hashes[index], weight: source.weight)
            if score > best?.score ?? -.infinity { best = (index, score) }
        }
        if let best { return .source(sources[best.index]) }
        return firstBack.map(Choice.laterAt) ?? .laterThanToday
    }

    /// The sources of a family that one of these addresses has; all, where there is none.
    package func reaching(_ addresses: some Sequence<IPAddress>) -> SourcePool {
        let families = Set(addresses.map(\.isVersion6))
        let fit = sources.filter { source in IPAddress(source.address).map { families.contains($0.isVersion6) } ?? true
        }
        return fit.isEmpty || fit.count == sources.count ? self : SourcePool(name: name, sources: fit)
    }

    /// A key that is the same on every node and in every run.
    package static func key(_ octets: some Sequence<UInt8>) -> UInt64 { mixed(hash(octets)) }

    /// The highest wins, in proportion to the weights.
    private static func score(_ key: UInt64, _ source: UInt64, weight: Int) -> Double {
        // In the open interval from 0 to 1.
        let ticket = (Double(mixed(key ^ source) >> 11) + 0.5) * 0x1p-53
        return Double(weight) / -log(ticket)
    }

    /// FNV-1a.
    private static func hash(_ octets: some Sequence<UInt8>) -> UInt64 {
        octets.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// The finisher of SplitMix64, so that near keys lie far apart.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var value = value &+ 0x9e37_79b9_7f4a_7c15
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
