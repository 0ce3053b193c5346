import Glibc
import Synchronization

/// Where a connection stands between BEGIN and COMMIT.
enum TransactionStatus: UInt8, AtomicRepresentable {
    case idle, open, failed, busy
}

/// What may be known about a connection without asking its thread.
final class ConnectionHealth: Sendable {
    private let descriptor = Atomic<Int32>(-1)
    private let status = Atomic<TransactionStatus>(.idle)

    func open(descriptor: Int32) { self.descriptor.store(descriptor, ordering: .releasing) }
    func close() { descriptor.store(-1, ordering: .releasing) }
    func lose() { close() }
    func note(_ status: TransactionStatus) { self.status.store(status, ordering: .releasing) }

    var transactionStatus: TransactionStatus { status.load(ordering: .acquiring) }

    var isOpen: Bool { descriptor.load(ordering: .acquiring) >= 0 }

    /// The socket, to be polled; -1 once the connection is lost.
    var socket: Int32 { descriptor.load(ordering: .acquiring) }

    /// Whether an idle connection is still good, seen without a round trip: a server that went away has left an end of
    /// file (and mostly a farewell) in the socket, where an idle connection has nothing to read.
    var isQuiet: Bool {
        let descriptor = descriptor.load(ordering: .acquiring)
        guard descriptor >= 0 else { return false }
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe Glibc.poll(&poll, 1, 0) == 0
    }
}
