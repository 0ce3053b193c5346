/// How long a thread rests after a hash, so that many hashes in a row take little from others: decisions only.
///
/// A low priority alone leaves a thread a tenth of a processor, as long as somebody keeps it busy. A hash that had a processor
/// for itself took nothing from anybody, so no rest follows; nor where few wait, since that is no flood.
struct HashPace {
    /// The part of a processor that is left to a thread, 0…1.
    let share: Double

    /// Hashes that wait without being a flood.
    static let few = 4

    /// - Parameters:
    ///   - used: of a processor, by the hash
    ///   - elapsed: from its beginning to its end
    ///   - waiting: hashes
    func rest(after used: Duration, in elapsed: Duration, waiting: Int) -> Duration {
        // What the system itself does now and then makes a tenth at most.
        guard waiting > Self.few, elapsed > used * 1.1 else { return .zero }
        // Less where others took less than half of the processor.
        let lack = 1 - used / elapsed
        return max(.zero, (used / share - elapsed) * min(1, lack * 2))
    }
}
