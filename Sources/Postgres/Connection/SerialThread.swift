import Dispatch
import Glibc
import Synchronization

/// A thread of its own that runs jobs one after the other, so that blocking calls never hold one of Swift's few
/// cooperative threads. It ends when this object goes.
final class SerialThread: Sendable {
    private let queue = JobQueue()

    init() { startThread { [queue] in queue.run() } }

    deinit { queue.close(last: nil) }

    /// - Returns: false if the thread has been closed; the job is not run then.
    @discardableResult
    func enqueue(_ job: @escaping @Sendable () -> Void) -> Bool { queue.add(job) }

    /// Runs a last job after all others and ends the thread. Later jobs are refused.
    func close(last job: @escaping @Sendable () -> Void) { queue.close(last: job) }
}

/// Runs blocking work on a thread made for it.
func offCooperativeThreads<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        startThread { continuation.resume(returning: work()) }
    }
}

private final class JobQueue: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let pending = DispatchSemaphore(value: 0)

    func add(_ job: @escaping @Sendable () -> Void) -> Bool {
        let isAccepted = state.withLock { state in
            if state.isClosed { return false }
            state.jobs.append(job)
            return true
        }
        if isAccepted { pending.signal() }
        return isAccepted
    }

    func close(last job: (@Sendable () -> Void)?) {
        let isFirst = state.withLock { state in
            if state.isClosed { return false }
            state.isClosed = true
            if let job { state.jobs.append(job) }
            return true
        }
        if isFirst { pending.signal() }
    }

    func run() {
        while true {
            pending.wait()
            // One signal may find the jobs of several; their own signals then find none.
            let (jobs, isClosed) = state.withLock { state in
                let jobs = state.jobs
                state.jobs.removeAll(keepingCapacity: true)
                return (jobs, state.isClosed)
            }
            for job in jobs { job() }
            if isClosed { return }
        }
    }
}

private final class ThreadBody: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// Starts a detached thread.
func startThread(_ body: @escaping @Sendable () -> Void) {
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    unsafe pthread_attr_setstacksize(&attributes, 1 << 20)
    defer { unsafe pthread_attr_destroy(&attributes) }
    var thread = pthread_t()
    let context = unsafe Unmanaged.passRetained(ThreadBody(body)).toOpaque()
    let status = unsafe pthread_create(
        &thread, &attributes,
        { context in
            guard let context = unsafe context else { return nil }
            unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().body()
            return nil
        }, context)
    // Only a machine out of memory or threads refuses; nothing that waits for this thread could go on.
    precondition(status == 0, "cannot start a thread (error \(status))")
}
