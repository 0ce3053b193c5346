import SMTPProtocol
import Synchronization

/// One line of a connection's talk, with personal data masked.
package struct SMTPTraceLine: Sendable, Hashable {
    package enum Direction: String, Sendable {
        case sent = ">"
        case received = "<"
        /// Not said, but happened.
        case note = "*"
    }

    package let lane: String
    package let host: String
    /// Tells connections of the process apart.
    package let connection: UInt64
    package let direction: Direction
    package let text: String

    /// Says that the content of a message is about to be written.
    package var isContent: Bool { direction == .note && text.hasPrefix(Self.content) }

    static let content = "content of "
}

/// Where operators listen to connections. While nobody does, a connection pays one look at a flag for each thing it says
/// and hears.
package final class SMTPTraceHub: Sendable {
    package typealias Lines = AsyncStream<SMTPTraceLine>

    private struct Listener {
        let pattern: String
        let continuation: Lines.Continuation
    }

    private struct State {
        var listeners: [Int: Listener] = [:]
        var next = 0
    }

    private let hasListeners = Atomic(false)
    private let state = Mutex(State())
    private let connections = Atomic<UInt64>(0)

    package init() {}

    /// Lines of the lanes that go by this name from now on, until the stream's reader goes. A reader that is too slow loses the oldest of them.
    package func listen(to pattern: String) -> Lines {
        let (lines, continuation) = Lines.makeStream(bufferingPolicy: .bufferingNewest(Self.bufferedLines))
        let number = state.withLock { state in
            state.next += 1
            state.listeners[state.next] = Listener(pattern: pattern, continuation: continuation)
            hasListeners.store(true, ordering: .relaxed)
            return state.next
        }
        continuation.onTermination = { [weak self] _ in self?.remove(number) }
        return lines
    }

    private static let bufferedLines = 1_000

    var isOn: Bool { hasListeners.load(ordering: .relaxed) }

    func nextConnection() -> UInt64 { connections.add(1, ordering: .relaxed).newValue }

    func tell(_ line: SMTPTraceLine, of trace: SMTPTrace) {
        let listeners = state.withLock { $0.listeners.values.filter { trace.goesBy($0.pattern) } }
        for listener in listeners { listener.continuation.yield(line) }
    }

    private func remove(_ number: Int) {
        state.withLock { state in
            state.listeners[number] = nil
            hasListeners.store(!state.listeners.isEmpty, ordering: .relaxed)
        }
    }
}

/// What connections of one lane tell about themselves.
package struct SMTPTrace: Sendable {
    let hub: SMTPTraceHub
    let lane: String

    let goesBy: @Sendable (_ pattern: String) -> Bool

    /// - Parameter goesBy: whether an operator who says this means the lane.
    package init(hub: SMTPTraceHub, lane: String, goesBy: @escaping @Sendable (_ pattern: String) -> Bool) {
        self.hub = hub
        self.lane = lane
        self.goesBy = goesBy
    }
}
