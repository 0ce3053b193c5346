import CPostgres
import Synchronization

/// What is needed to ask the server to stop a connection's statement, from any thread.
@safe final class CancelHandle: @unchecked Sendable {
    private let pointer: OpaquePointer

    init?(_ connection: OpaquePointer) {
        guard let pointer = unsafe PQgetCancel(connection) else { return nil }
        unsafe self.pointer = pointer
    }

    deinit { unsafe PQfreeCancel(pointer) }

    /// Opens a connection to the server and waits until it has taken the request; blocks.
    func cancel() {
        var buffer: [CChar] = Array(repeating: 0, count: 256)
        _ = unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            unsafe PQcancel(pointer, buffer.baseAddress, Int32(buffer.count))
        }
    }
}

/// One piece of work on a connection, which its task may cancel.
///
/// The lock is held while the request to cancel is under way, and ``end()`` takes it too: a late request can never hit
/// the next statement of the connection.
final class StatementTicket: Sendable {
    private enum State {
        case waiting
        case running(CancelHandle?)
        case cancelled
        case ended
    }

    private let state = Mutex(State.waiting)
    private let asked = Atomic(false)

    /// Whether the task has been cancelled while the work was waiting or running.
    var isCancelled: Bool { asked.load(ordering: .relaxed) }

    /// - Returns: false if the task was cancelled before; the work must not start.
    func begin(_ handle: CancelHandle?) -> Bool {
        state.withLock { state in
            if case .cancelled = state { return false }
            state = .running(handle)
            return true
        }
    }

    func end() { state.withLock { $0 = .ended } }

    func cancel() {
        asked.store(true, ordering: .relaxed)
        // The lock may be held for as long as a cancel request takes, so it is never waited for on the caller's thread.
        // Where no thread is to be had, the statement runs to its end.
        _ = startThread { [self] in
            state.withLock { state in
                switch state {
                case .waiting: state = .cancelled
                case .running(let handle): handle?.cancel()
                case .cancelled, .ended: break
                }
            }
        }
    }
}
