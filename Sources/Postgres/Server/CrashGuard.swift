import Glibc
import Synchronization

/// Stops the private server where this process crashes, so that a failed check or a fault in a library does not leave it
/// behind. A process that is killed (SIGKILL) can do nothing: whoever comes next adopts its server.
///
/// The work is done in a signal handler, so nothing here waits, allocates or locks, once installed.
enum CrashGuard {
    private static let signals = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV]

    private final class Protected: Sendable {
        /// 0 for none.
        let postmaster = Atomic<pid_t>(0)
        let usersLock = Atomic<Int32>(-1)
        let isInstalled = Atomic(false)
    }

    private static let protected = Protected()

    /// The handlers of before, by number of the signal: Swift's own print where it happened.
    nonisolated(unsafe) private static let previous = UnsafeMutablePointer<sigaction>.allocate(capacity: 65)

    /// - Parameter users: held, shared, by this process; who else holds it goes on using the server.
    static func protect(_ postmaster: Postmaster, users: FileLock) {
        protected.usersLock.store(users.descriptor, ordering: .sequentiallyConsistent)
        protected.postmaster.store(postmaster.processID, ordering: .sequentiallyConsistent)
        guard !protected.isInstalled.exchange(true, ordering: .sequentiallyConsistent) else { return }
        for number in signals {
            var action = sigaction()
            unsafe action.__sigaction_handler.sa_handler = { CrashGuard.crashed($0) }
            unsafe sigfillset(&action.sa_mask)
            action.sa_flags = SA_ONSTACK
            unsafe sigaction(number, &action, previous + Int(number))
        }
    }

    static func release() {
        protected.postmaster.store(0, ordering: .sequentiallyConsistent)
        protected.usersLock.store(-1, ordering: .sequentiallyConsistent)
    }

    private static func crashed(_ number: Int32) {
        let postmaster = protected.postmaster.exchange(0, ordering: .sequentiallyConsistent)
        let users = protected.usersLock.load(ordering: .sequentiallyConsistent)
        if postmaster > 1, users >= 0, flock(users, LOCK_EX | LOCK_NB) == 0 { kill(postmaster, SIGINT) }
        // Held back until this handler returns, then dealt with as if it had never been here.
        unsafe sigaction(number, previous + Int(number), nil)
        raise(number)
    }
}
