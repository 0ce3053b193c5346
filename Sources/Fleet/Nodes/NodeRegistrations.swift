import Synchronization

/// The names that this process runs nodes under. A name is held by a session lock on a connection of its own, so it
/// comes free at the moment the process or its connection dies.
final class NodeRegistrations: Sendable {
    private let held = Mutex<[String: NodeRegistration]>([:])

    func add(_ registration: NodeRegistration, for node: String) {
        held.withLock { $0[node] = registration }
    }

    func remove(_ node: String) -> NodeRegistration? {
        held.withLock { $0.removeValue(forKey: node) }
    }
}
