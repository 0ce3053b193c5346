import Dispatch
import Glibc
import Synchronization

/// A thread of its own that runs jobs one after the other, so that blocking calls never hold one of Swift's few
/// cooperative threads. It ends when this object goes.
///
/// It can also run tasks (see ``executor``): a task that runs here calls libpq without changing threads twice for each
/// statement, which costs more than many a statement. While a call blocks, the tasks' jobs go to Swift's own threads
/// instead: no task ever waits for another's statement.
final class SerialThread: Sendable {
    private let queue = JobQueue()

    /// Nil if the system refuses another thread.
    init?() {
        guard startThread({ [queue] in queue.run() }) else { return nil }
    }

    deinit { queue.close(last: nil) }

    /// Where a task should prefer to run while it uses the thread.
    var executor: any TaskExecutor { queue }

    /// Whether the caller runs on this thread, and may block it through ``blocking(_:)``.
    var isCurrent: Bool { queue.isCurrent }

    /// Runs blocking work on the spot. The caller must be on this thread.
    func blocking<Value>(_ work: () -> Value) -> Value {
        queue.beginBlocking()
        defer { queue.endBlocking() }
        return work()
    }

    /// - Returns: false if the thread has been closed; the job is not run then.
    @discardableResult
    func enqueue(_ job: @escaping @Sendable () -> Void) -> Bool { queue.add(job) }

    /// Runs a last job after all others and ends the thread. Later jobs are refused.
    func close(last job: @escaping @Sendable () -> Void) { queue.close(last: job) }
}

private final class JobQueue: TaskExecutor {
    private enum Job {
        case work(@Sendable () -> Void)
        case task(UnownedJob)
    }

    private struct State {
        var jobs: [Job] = []
        var isBlocked = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let pending = DispatchSemaphore(value: 0)
    private let thread = Atomic<UInt>(0)

    var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isAccepted = state.withLock { state in
            if state.isBlocked || state.isClosed { return false }
            state.jobs.append(.task(job))
            return true
        }
        if isAccepted { pending.signal() } else { globalConcurrentExecutor.enqueue(job) }
    }

    /// Tasks that wait for this thread are sent on their way before it blocks.
    func beginBlocking() {
        let tasks = state.withLock { state -> [UnownedJob] in
            state.isBlocked = true
            if state.jobs.isEmpty { return [] }
            var tasks: [UnownedJob] = []
            state.jobs.removeAll { job in
                guard case .task(let task) = job else { return false }
                tasks.append(task)
                return true
            }
            return tasks
        }
        for task in tasks { globalConcurrentExecutor.enqueue(task) }
    }

    func endBlocking() { state.withLock { $0.isBlocked = false } }

    func add(_ work: @escaping @Sendable () -> Void) -> Bool {
        let isAccepted = state.withLock { state in
            if state.isClosed { return false }
            state.jobs.append(.work(work))
            return true
        }
        if isAccepted { pending.signal() }
        return isAccepted
    }

    func close(last work: (@Sendable () -> Void)?) {
        let isFirst = state.withLock { state in
            if state.isClosed { return false }
            state.isClosed = true
            if let work { state.jobs.append(.work(work)) }
            return true
        }
        if isFirst { pending.signal() }
    }

    func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        while true {
            // One signal for each job; some jobs have been sent elsewhere since.
            pending.wait()
            let (job, isClosed) = state.withLock { state in
                (state.jobs.isEmpty ? nil : state.jobs.removeFirst(), state.isClosed)
            }
            switch job {
            case .work(let work): blocking(work)
            case .task(let task): unsafe task.runSynchronously(on: asUnownedTaskExecutor())
            case nil: if isClosed { return }
            }
        }
    }

    private func blocking(_ work: () -> Void) {
        beginBlocking()
        defer { endBlocking() }
        work()
    }
}

/// Runs blocking work on a thread made for it.
package func offCooperativeThreads<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
        let isStarted = startThread { continuation.resume(returning: work()) }
        // With no thread to be had, doing the work late for others is better than not at all.
        if !isStarted { continuation.resume(returning: work()) }
    }
}

private final class ThreadBody: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// Starts a detached thread.
/// - Returns: false if the system refuses another one; the body is not run then.
func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
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
    if status != 0 { unsafe Unmanaged<ThreadBody>.fromOpaque(context).release() }
    return status == 0
}
