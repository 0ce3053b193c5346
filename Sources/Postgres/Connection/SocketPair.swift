import Glibc

/// Two connected descriptors, closed in child processes from the first moment on (which `pipe` cannot promise where
/// other threads start processes).
package struct SocketPair {
    package let reader: Int32
    package let writer: Int32

    /// Nil if no descriptor is free.
    package init?() {
        var ends: [Int32] = [-1, -1]
        let type = Int32(bitPattern: SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let status = unsafe socketpair(AF_UNIX, type, 0, &ends)
        guard status == 0 else { return nil }
        reader = ends[0]
        writer = ends[1]
    }
}
