import Synchronization

/// How often something has happened in this process.
final class Tally: Sendable {
    private let state = Atomic(0)
    var count: Int { state.load(ordering: .relaxed) }
    func add(_ number: Int) { state.add(number, ordering: .relaxed) }
}
