import Synchronization

/// Wakes one waiting loop; signals that come while it works are kept, several count as one.
final class Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let isDue = Atomic(false)

    init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func raise() {
        guard isDue.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged else {
            return
        }
        continuation.yield()
    }

    /// Runs `body` once after each wake-up until it says that it is done or the task is cancelled.
    func onEach(_ body: () async -> Continuation) async {
        for await _ in stream {
            isDue.store(false, ordering: .sequentiallyConsistent)
            if await body() == .finish { return }
        }
    }

    func finish() { continuation.finish() }

    enum Continuation {
        case goOn
        case finish
    }
}

/// A sleep of one task that others can cut short.
final class Rest: Sendable {
    private struct State {
        var sleeper: CheckedContinuation<Void, Never>?
        /// Tells an alarm whether it belongs to the sleep that it finds.
        var number = 0
    }

    private let state = Mutex(State())

    /// Returns at `end`, when woken, or when the task is cancelled.
    ///
    /// - Parameter isOver: asked once the sleep can be woken, so that no call of ``wake()`` falls between.
    func until(_ end: ContinuousClock.Instant, unless isOver: () -> Bool) async {
        let number = state.withLock { state in
            state.number += 1
            return state.number
        }
        let alarm = Task {
            try? await Task.sleep(until: end, clock: .continuous)
            wake(number)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { $0.sleeper = continuation }
                if isOver() || Task.isCancelled || ContinuousClock.now >= end { wake() }
            }
        } onCancel: {
            wake()
        }
        alarm.cancel()
    }

    func wake() { wake(nil) }

    private func wake(_ number: Int?) {
        let sleeper = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard number == nil || number == state.number else { return nil }
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }
}
