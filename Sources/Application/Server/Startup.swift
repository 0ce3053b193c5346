import Synchronization

/// Waits until all listeners of a node take connections, so that whoever reads that it runs can use all of it.
final class Startup: Sendable {
    private struct State {
        var missing = 0
        var apiPort: Int?
    }

    private let state = Mutex(State())
    private let onStart: @Sendable (Int) -> Void

    /// - Parameter onStart: told the port of the API; not called on a node without the API.
    init(_ onStart: @escaping @Sendable (Int) -> Void) { self.onStart = onStart }

    /// Counts one more listener, before any of them starts.
    ///
    /// - Returns: to be called once it listens; with its port if it is the API's.
    func listener() -> @Sendable (Int?) -> Void {
        state.withLock { $0.missing += 1 }
        return { [self] port in
            let complete = state.withLock { state -> Int? in
                state.missing -= 1
                state.apiPort = port ?? state.apiPort
                return state.missing == 0 ? state.apiPort : nil
            }
            if let complete { onStart(complete) }
        }
    }
}
