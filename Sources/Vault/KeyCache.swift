import MailTypes
import Synchronization

/// The keys used last, so that the vault database is asked once for each campaign and not for each batch.
///
/// A key that was read before its destruction must not come back after it: ``insert(_:for:since:)`` takes the
/// generation seen before the read and drops the key where anything was removed in between.
final class KeyCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry {
        var value: Value
        var lastUse: UInt64
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var clock: UInt64 = 0
        var generation: UInt64 = 0
    }

    private let state = Mutex(State())
    private let capacity: Int

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    var generation: UInt64 { state.withLock { $0.generation } }
    var count: Int { state.withLock { $0.entries.count } }

    func value(for key: Key) -> Value? {
        state.withLock { state in
            guard var entry = state.entries[key] else { return nil }
            state.clock += 1
            entry.lastUse = state.clock
            state.entries[key] = entry
            return entry.value
        }
    }

    func insert(_ value: Value, for key: Key, since generation: UInt64) {
        state.withLock { state in
            guard state.generation == generation else { return }
            state.clock += 1
            state.entries[key] = Entry(value: value, lastUse: state.clock)
            if state.entries.count > capacity { evict(&state) }
        }
    }

    func remove(_ key: Key) {
        state.withLock { state in
            state.entries[key] = nil
            state.generation += 1
        }
    }

    /// Drops the oldest eighth at once, so that the scan for them is rare.
    private func evict(_ state: inout State) {
        let surplus = state.entries.count - (capacity - capacity / 8)
        let oldest = state.entries.sorted { $0.value.lastUse < $1.value.lastUse }.prefix(surplus)
        for (key, _) in oldest { state.entries[key] = nil }
    }
}
