import Synchronization

/// A sleep of one task that others can cut short.
final class Rest: Sendable {
    private struct State {
        var sleeper: CheckedContinuation<Void, Never>?
        /// Tells an alarm whether it belongs to the sleep that it finds.
        var number = 0
    }

    private let state = Mutex(State())

    /// Returns after the pause, when woken, or when the task is cancelled.
    ///
    /// - Parameter isOver: asked once the sleep can be woken, so that no call of ``wake()`` falls between.
    func rest(for pause: Duration, unless isOver: () -> Bool) async {
        let number = state.withLock { state in
            state.number += 1
            return state.number
        }
        let alarm = Task {
            try? await Task.sleep(for: pause)
            wake(number)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { $0.sleeper = continuation }
                if isOver() || Task.isCancelled || pause <= .zero { wake() }
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
