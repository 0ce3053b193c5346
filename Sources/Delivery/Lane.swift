import Campaigns
import MailTypes
import SMTPTransport
import Synchronization
import TrafficShaping

/// One mail waiting for a connection.
struct Job: Sendable {
    let run: BatchRun
    let position: Int
    let queuedAt: ContinuousClock.Instant
    /// Whether it met a connection that the server had just closed for idleness, and was put back.
    var wasRetried = false
}

/// One site reached from this node: its waiting mails and the workers that carry them over its connections.
///
/// Workers come with the queue and go with it; accounts take turns.
final class Lane: Sendable {
    private struct State {
        var queue = FairQueue<AccountID, Job>()
        var workers: [Int: Task<Void, Never>] = [:]
        var nextWorker = 0
    }

    private let state = Mutex(State())
    private let pool: SMTPConnectionPool
    private let limits: LaneLimits
    private let sender: any MailSender

    init(pool: SMTPConnectionPool, limits: LaneLimits, sender: any MailSender) {
        self.pool = pool
        self.limits = limits
        self.sender = sender
    }

    func enqueue(_ jobs: [Job]) {
        state.withLock { state in
            for job in jobs { state.queue.append(job, for: job.run.batch.id.account) }
            let wanted = limits.connections(forQueued: state.queue.count)
            while state.workers.count < wanted {
                let worker = state.nextWorker
                state.nextWorker += 1
                state.workers[worker] = Task { await work(worker) }
            }
        }
    }

    var isIdle: Bool { state.withLock { $0.queue.isEmpty && $0.workers.isEmpty } }

    /// Cuts off the mails under way and closes all connections.
    func shutdown() async {
        let workers = state.withLock { Array($0.workers.values) }
        for worker in workers { worker.cancel() }
        await pool.shutdown()
    }

    /// Takes the next mail, or ends the worker in the same step, so that no mail is left without a worker.
    private func nextJobOrRetire(_ worker: Int) -> Job? {
        state.withLock { state in
            if let job = state.queue.popFirst() { return job }
            state.workers[worker] = nil
            return nil
        }
    }

    @concurrent private func work(_ worker: Int) async {
        while let job = nextJobOrRetire(worker) {
            guard !sender.settlesWithoutConnection(job, queueSeconds: limits.queueSeconds) else { continue }
            await carry(job)
        }
    }

    /// Sends `first` and then what waits, as long as the connection is good.
    private func carry(_ first: Job) async {
        let holder = JobHolder(first)
        do throws(SMTPConnectFailure) {
            try await pool.withConnection { connection in
                while let job = holder.take() {
                    guard await sender.send(job, over: connection) else {
                        var again = job
                        again.wasRetried = true
                        holder.put(again)
                        return
                    }
                    guard connection.isUsable else { return }
                    holder.put(takeNext())
                }
            }
        } catch {
            if let job = holder.take() { sender.fail(job, failure: error) }
        }
        if let job = holder.take() { await carry(job) }
    }

    /// The next mail that needs a connection, without retiring.
    private func takeNext() -> Job? {
        while true {
            guard let job = state.withLock({ $0.queue.popFirst() }) else { return nil }
            if !sender.settlesWithoutConnection(job, queueSeconds: limits.queueSeconds) { return job }
        }
    }
}

/// Hands one job into and out of a closure.
private final class JobHolder: Sendable {
    private let job: Mutex<Job?>
    init(_ job: Job) { self.job = Mutex(job) }
    func take() -> Job? {
        job.withLock { job in
            defer { job = nil }
            return job
        }
    }
    func put(_ next: Job?) { job.withLock { $0 = next } }
}

/// What a lane's workers do with a mail.
protocol MailSender: Sendable {
    /// Ends a job that must not or need not be sent any more; true when it did.
    func settlesWithoutConnection(_ job: Job, queueSeconds: Double) -> Bool
    /// - Returns: false when the connection was stale and another should carry the job.
    func send(_ job: Job, over connection: SMTPConnection) async -> Bool
    /// No connection to the site could be made.
    func fail(_ job: Job, failure: SMTPConnectFailure)
}
