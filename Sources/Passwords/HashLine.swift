/// Who waits for a hash, in the order of coming; each failure of an origin sets it back by a turn, so that whoever guesses waits
/// for others.
struct HashLine<Job> {
    /// Turns that failures set somebody back at most: those of strangers at an address must not keep its owner out.
    static var most: Int { 8 }

    private var waiting: [(job: Job, rank: Int)] = []
    private var turn = 0

    var count: Int { waiting.count }

    mutating func add(_ job: Job, after failures: Int) {
        waiting.append((job, turn + min(failures, Self.most)))
    }

    mutating func next() -> Job? {
        turn += 1
        let first = waiting.indices.min { waiting[$0].rank < waiting[$1].rank }
        return first.map { waiting.remove(at: $0).job }
    }
}
