import Synchronization

/// Keys that were valid a moment ago. Unknown keys are not kept: anybody could fill the cache with them.
final class AuthenticationCache: Sendable {
    private struct Entry {
        let key: AuthenticatedKey
        let readAt: Int64
    }

    private let entries = Mutex<[[UInt8]: Entry]>([:])
    private let seconds: Int64
    private let capacity: Int

    init(seconds: Int64, capacity: Int) {
        self.seconds = seconds
        self.capacity = capacity
    }

    /// - Parameters:
    ///   - hash: of the key
    ///   - now: seconds of a clock that never goes back
    func find(_ hash: [UInt8], now: Int64) -> AuthenticatedKey? {
        entries.withLock { entries in
            guard let entry = entries[hash] else { return nil }
            guard now - entry.readAt < seconds else {
                entries[hash] = nil
                return nil
            }
            return entry.key
        }
    }

    /// - Parameter readAt: the time before the database was asked, so that the wait for it does not lengthen the life
    func keep(_ key: AuthenticatedKey, for hash: [UInt8], readAt: Int64) {
        guard seconds > 0 else { return }
        entries.withLock { entries in
            if entries.count >= capacity {
                entries = entries.filter { readAt - $0.value.readAt < seconds }
                if entries.count >= capacity { entries.removeAll(keepingCapacity: true) }
            }
            entries[hash] = Entry(key: key, readAt: readAt)
        }
    }

    func remove(_ id: APIKeyID) {
        entries.withLock { entries in entries = entries.filter { $0.value.key.id != id } }
    }
}
