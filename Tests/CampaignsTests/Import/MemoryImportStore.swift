import Feedback
import Synchronization
import Vault

@testable import Campaigns

/// The tables of a campaign, in memory.
final class MemoryImportStore: ImportStore, Sendable {
    private struct State {
        var batches: [SealedBatch] = []
        var writes: [Int] = []
        var asked = 0
    }

    struct Failure: Error {}

    private let state = Mutex(State())
    private let suppressions: Set<Fingerprint>
    private let failsAtWrite: Int?

    init(suppressions: Set<Fingerprint> = [], failsAtWrite: Int? = nil) {
        self.suppressions = suppressions
        self.failsAtWrite = failsAtWrite
    }

    var all: [SealedBatch] { state.withLock { $0.batches } }
    /// Batches of each write.
    var writes: [Int] { state.withLock { $0.writes } }
    /// Fingerprints looked up.
    var asked: Int { state.withLock { $0.asked } }

    func batches(after number: Int32, limit: Int) async throws -> [SealedBatch] {
        state.withLock { Array($0.batches.filter { $0.number > number }.prefix(limit)) }
    }

    func suppressed(among addressees: [Addressee]) async throws -> Set<Fingerprint> {
        state.withLock { $0.asked += addressees.count }
        return suppressions.intersection(addressees.map(\.fingerprint))
    }

    func write(_ batches: [SealedBatch]) async throws {
        try state.withLock { state in
            if state.writes.count == failsAtWrite { throw Failure() }
            state.writes.append(batches.count)
            state.batches += batches
        }
    }
}
