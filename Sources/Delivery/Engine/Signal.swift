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

    enum Continuation {
        case goOn
        case finish
    }
}
