import Foundation
import Logging

/// Who may have how many of the process's file descriptors open, so that a busy server refuses or puts off what is too
/// much instead of failing where it happens to run out.
struct FileDescriptorBudget: Sendable, Hashable {
    /// Connections to mail servers.
    let delivery: Int
    /// Connections of API clients.
    let api: Int

    /// Databases (``Pools``, 64 at most), name servers, files, event loops.
    private static let reserve = 96
    private static let least = 32

    init(limit: Int) {
        let free = max(limit - Self.reserve, Self.least)
        delivery = free - free / 4
        api = free / 4
    }

    /// Raises the soft limit to the hard one, as a process may do for itself, and shares out what that gives.
    static func raised(logger: Logger) -> FileDescriptorBudget {
        var limits = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(kind, &limits) == 0 else { return FileDescriptorBudget(limit: 1_024) }
        if limits.rlim_cur < limits.rlim_max {
            var raised = limits
            raised.rlim_cur = limits.rlim_max
            if setrlimit(kind, &raised) == 0 { limits = raised }
        }
        let limit = Int(min(limits.rlim_cur, 1 << 30))
        logger.debug("file descriptors", metadata: ["limit": "\(limit)"])
        return FileDescriptorBudget(limit: limit)
    }
}
