/// The tasks that make the mail of all lanes ready and carry it: children of ``run()``, which returns when the last has ended.
final class LaneWorkers: Sendable {
    private typealias Work = @Sendable () async -> Void

    private let stream: AsyncStream<Work>
    private let continuation: AsyncStream<Work>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    /// Starts a task once ``run()`` runs.
    ///
    /// - Returns: false after ``stop()``: it does not start.
    func start(_ work: @escaping @Sendable () async -> Void) -> Bool {
        if case .terminated = continuation.yield(work) { false } else { true }
    }

    /// Runs tasks until ``stop()`` is called or the task is cancelled, and returns when all have ended. Called once.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await work in stream { group.addTask { await work() } }
            group.cancelAll()
        }
    }

    /// Cancels the tasks.
    func stop() { continuation.finish() }
}
