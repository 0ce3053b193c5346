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
}

/// Where operators listen to connections. While nobody does, a connection pays one look at a flag for each thing it says
/// and hears.
package final class SMTPTraceHub: Sendable {
    package typealias Lines = AsyncStream<SMTPTraceLine>

    private struct Listener {
        let matches: @Sendable (_ lane: String) -> Bool
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

    /// Lines from now on, until the stream's reader goes. A reader that is too slow loses the oldest of them.
    package func listen(to matches: @escaping @Sendable (_ lane: String) -> Bool) -> Lines {
        let (lines, continuation) = Lines.makeStream(bufferingPolicy: .bufferingNewest(Self.bufferedLines))
        let number = state.withLock { state in
            state.next += 1
            state.listeners[state.next] = Listener(matches: matches, continuation: continuation)
            hasListeners.store(true, ordering: .relaxed)
            return state.next
        }
        continuation.onTermination = { [weak self] _ in self?.remove(number) }
        return lines
    }

    private static let bufferedLines = 1_000

    var isOn: Bool { hasListeners.load(ordering: .relaxed) }

    func nextConnection() -> UInt64 { connections.add(1, ordering: .relaxed).newValue }

    func tell(_ line: SMTPTraceLine) {
        let listeners = state.withLock { $0.listeners.values.filter { $0.matches(line.lane) } }
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

    package init(hub: SMTPTraceHub, lane: String) {
        self.hub = hub
        self.lane = lane
    }
}
