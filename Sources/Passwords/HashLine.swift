/// Who waits for a hash: of those whose origin has failed least the first that came, so that whoever guesses waits for
/// everybody else.
struct HashLine<Job> {
    private var waiting: [(job: Job, failures: Int)] = []

    var count: Int { waiting.count }

    mutating func add(_ job: Job, after failures: Int) { waiting.append((job, failures)) }

    mutating func next() -> Job? {
        let first = waiting.indices.min { waiting[$0].failures < waiting[$1].failures }
        return first.map { waiting.remove(at: $0).job }
    }
}
