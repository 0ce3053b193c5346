import Synchronization

/// Who was valid a moment ago, by what they showed. Who is unknown is not kept: anybody could fill the cache with them.
final class AuthenticationCache<Shown: Hashable & Sendable, Known: Sendable>: Sendable {
    private struct Entry {
        let known: Known
        let readAt: Int64
    }

    private let entries = Mutex<[Shown: Entry]>([:])
    private let seconds: Int64
    private let capacity: Int

    init(seconds: Int64, capacity: Int) {
        self.seconds = seconds
        self.capacity = capacity
    }

    /// - Parameter now: seconds of a clock that never goes back
    func find(_ shown: Shown, now: Int64) -> Known? {
        entries.withLock { entries in
            guard let entry = entries[shown] else { return nil }
            guard now - entry.readAt < seconds else {
                entries[shown] = nil
                return nil
            }
            return entry.known
        }
    }

    /// - Parameter readAt: the time before the database was asked, so that the wait for it does not lengthen the life
    func keep(_ known: Known, for shown: Shown, readAt: Int64) {
        guard seconds > 0 else { return }
        entries.withLock { entries in
            if entries.count >= capacity {
                entries = entries.filter { readAt - $0.value.readAt < seconds }
                if entries.count >= capacity { entries.removeAll(keepingCapacity: true) }
            }
            entries[shown] = Entry(known: known, readAt: readAt)
        }
    }

    func remove(where isGone: (Known) -> Bool) {
        entries.withLock { entries in entries = entries.filter { !isGone($0.value.known) } }
    }
}
