import CCrypt
import Dispatch
import Foundation
import Synchronization

/// Hashes and compares passwords on threads of its own, so many at a time, so many waiting, and each below what else the
/// node does: whoever tries passwords takes little from the mail.
///
/// Who wants to hash takes a place first. What costs nobody else anything, such as looking the user up, is done inside it,
/// so that a stranger who cannot get a place costs nothing at all.
package final class PasswordHasher: Sendable {
    package struct Configuration: Sendable {
        /// Hashes at the same time.
        package var threads = 1
        /// Places, those at work among them.
        package var places = 32
        /// Of these, at most for people whom nobody knows yet.
        package var strangersPlaces = 8
        /// Logarithm of bcrypt's rounds.
        package var cost = 12
        /// Of a hash that waits with mail for a processor (`nice(2)`): it gets a tenth of what a sending thread gets.
        package var niceness = 10
        /// The part of a processor that a thread takes where others want it and many hashes wait.
        package var share = 0.05

        package init() {}
    }

    /// The right to hash, as long as it lasts.
    package struct Place: Sendable {
        fileprivate let hasher: PasswordHasher
        fileprivate let isStrangers: Bool

        /// A stranger's waits as long as one that follows many failures (``HashLine``).
        ///
        /// - Parameter password: checked by ``PasswordRules``
        /// - Throws: ``PasswordError/failed``
        package func hash(_ password: String) async throws -> PasswordHash {
            let cost = hasher.configuration.cost
            return try await hasher.run(after: isStrangers ? .max : 0) {
                Result { () throws(PasswordError) in try PasswordHash.make(of: password, cost: cost) }
            }
            .get()
        }

        /// Whether the hash is the password's. Where there is no hash it takes as long, and it is not.
        ///
        /// - Parameters:
        ///   - password: as ``PasswordRules/normalised(_:)`` gives it; nil is nobody's
        ///   - failures: of the same origin until now. Who has fewer comes first.
        package func matches(_ password: String?, _ hash: PasswordHash?, after failures: Int = 0) async -> Bool {
            let compared = hash ?? PasswordHasher.nobodys
            let matches = await hasher.run(after: failures) { compared.matches(password ?? "") }
            return matches && hash != nil && password != nil
        }
    }

    private let configuration: Configuration
    private let taken = Mutex(Taken())
    private let queue: HashQueue

    private struct Taken {
        var places = 0
        var strangers = 0
    }

    package init(_ configuration: Configuration = Configuration()) {
        self.configuration = configuration
        queue = HashQueue(
            threads: configuration.threads, niceness: configuration.niceness,
            pace: HashPace(share: configuration.share))
    }

    deinit { queue.close() }

    /// - Parameter isStrangers: for somebody who is not known here yet. They leave most places to those who are.
    /// - Throws: ``PasswordError/busy`` where all places are taken, or all of strangers, and what `work` throws
    package func withPlace<Value>(
        isStrangers: Bool = false, _ work: (Place) async throws -> Value
    ) async throws -> Value {
        let strangers = isStrangers ? 1 : 0
        let isTaken = taken.withLock { taken in
            guard taken.places < configuration.places,
                !isStrangers || taken.strangers < configuration.strangersPlaces
            else { return false }
            taken.places += 1
            taken.strangers += strangers
            return true
        }
        guard isTaken else { throw PasswordError.busy }
        defer {
            taken.withLock { taken in
                taken.places -= 1
                taken.strangers -= strangers
            }
        }
        return try await work(Place(hasher: self, isStrangers: isStrangers))
    }

    private func run<Value: Sendable>(
        after failures: Int, _ work: @escaping @Sendable () -> Value
    ) async -> Value {
        await withCheckedContinuation { continuation in
            queue.add(after: failures) { continuation.resume(returning: work()) }
        }
    }

    /// Of a random text that nobody has kept, at the cost of 12.
    private static let nobodys = PasswordHash("$2b$12$OT/VqKE73V8MVwK626dWLOJ2QTHa7BMVlsDoIN6bCM2f6m.aUVABK")!
}

/// Jobs and the threads that do them, which begin with the first job: most commands have none. Threads hold the queue
/// alone, so that they end with the hasher.
private final class HashQueue: Sendable {
    typealias Job = @Sendable () -> Void

    private struct State {
        var jobs = HashLine<Job>()
        var isStarted = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let pending = DispatchSemaphore(value: 0)
    private let threads: Int
    private let niceness: Int
    private let pace: HashPace

    init(threads: Int, niceness: Int, pace: HashPace) {
        self.threads = threads
        self.niceness = niceness
        self.pace = pace
    }

    func add(after failures: Int, _ job: @escaping Job) {
        let isFirst = state.withLock { state in
            state.jobs.add(job, after: failures)
            defer { state.isStarted = true }
            return !state.isStarted
        }
        if isFirst { for _ in 0..<threads { startThread() } }
        pending.signal()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        for _ in 0..<threads { pending.signal() }
    }

    private func startThread() {
        let thread = Thread { [self] in
            _ = lower_thread_priority(Int32(niceness))
            run()
        }
        thread.name = "passwords"
        thread.start()
    }

    /// Until the queue is closed and empty.
    private func run() {
        while true {
            pending.wait()
            let (job, isClosed) = state.withLock { ($0.jobs.next(), $0.isClosed) }
            guard let job else {
                if isClosed { return }
                continue
            }
            let (start, before) = (ContinuousClock.now, Self.processorTime())
            job()
            let (elapsed, used) = (ContinuousClock.now - start, Self.processorTime() - before)
            let waiting = state.withLock { $0.isClosed ? 0 : $0.jobs.count }
            let rest = pace.rest(after: used, in: elapsed, waiting: waiting)
            if rest > .zero { Thread.sleep(forTimeInterval: rest / .seconds(1)) }
        }
    }

    /// What this thread has had of a processor until now.
    private static func processorTime() -> Duration {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
