/// Chooses the source a mail leaves from, among those of a pool.
///
/// A source takes part by its weight, unless it rests at the site or has used up the day's allowance of its warm-up;
/// what it cannot take goes to the others.
///
///     let choice = pool.choose(
///         onDay: today, sentToday: { counts[$0.address] ?? 0 }, restsUntil: { lanes[$0.address]?.end }, using: &generator)
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

    /// - Parameter sources: one or more; those of other pools are left out.
    package init(name: String, sources: [MailSource]) {
        self.name = name
        self.sources = sources.filter { $0.pool == name }
        precondition(!self.sources.isEmpty, "a pool without sources sends nothing")
    }

    /// - Parameters:
    ///   - day: days since 1970 (UTC).
    ///   - sentToday: mails the source has sent to the provider on that day, those under way included; asked only for
    ///     sources that warm up.
    ///   - restsUntil: when the source's suspension at the site ends; nil where there is none.
    package func choose(
        onDay day: Int, sentToday: (MailSource) -> Int, restsUntil: (MailSource) -> SteadySeconds?,
        using generator: inout some RandomNumberGenerator
    ) -> Choice {
        var ready: [MailSource] = []
        var firstBack: SteadySeconds?
        for source in sources {
            if let allowance = source.warmUp?.allowance(onDay: day), sentToday(source) >= allowance { continue }
            if let until = restsUntil(source) {
                firstBack = min(firstBack ?? until, until)
            } else {
                ready.append(source)
            }
        }
        if let chosen = Self.pick(ready, using: &generator) { return .source(chosen) }
        return firstBack.map(Choice.laterAt) ?? .laterThanToday
    }

    private static func pick(_ sources: [MailSource], using generator: inout some RandomNumberGenerator) -> MailSource?
    {
        guard !sources.isEmpty else { return nil }
        var ticket = Int.random(in: 0..<sources.reduce(0) { $0 + $1.weight }, using: &generator)
        return sources.first { source in
            ticket -= source.weight
            return ticket < 0
        }
    }
}
