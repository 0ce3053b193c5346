import Foundation
import Synchronization

/// Forwards TCP connections to a port of 127.0.0.1, and can stand still as a network does that loses everything.
final class BreakableWire: Sendable {
    let port: Int
    private let listener: Int32
    private let isFrozen = Atomic(false)
    private let isClosed = Atomic(false)

    init(to target: Int) throws {
        let (descriptor, port) = try LoopbackPort.listen()
        (listener, self.port) = (descriptor, port)
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0, let wire = self, !wire.isClosed.load(ordering: .relaxed) else { return }
                guard let server = LoopbackPort.connect(target) else {
                    close(client)
                    continue
                }
                Thread.detachNewThread { wire.carry(client, server) }
            }
        }
    }

    func freeze() { isFrozen.store(true, ordering: .relaxed) }
    func thaw() { isFrozen.store(false, ordering: .relaxed) }

    /// Ends all connections, and takes no more.
    func cut() {
        guard !isClosed.exchange(true, ordering: .relaxed) else { return }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    deinit { cut() }

    private func carry(_ client: Int32, _ server: Int32) {
        defer {
            close(client)
            close(server)
        }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !isClosed.load(ordering: .relaxed) {
            if isFrozen.load(ordering: .relaxed) {
                usleep(20_000)
                continue
            }
            var ends = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&ends, 2, 50) > 0, !isFrozen.load(ordering: .relaxed) else { continue }
            for (index, end) in ends.enumerated() where end.revents != 0 {
                let count = read(end.fd, &buffer, buffer.count)
                guard count > 0 else { return }
                var sent = 0
                while sent < count {
                    let written = buffer.withUnsafeBytes {
                        send(ends[1 - index].fd, $0.baseAddress! + sent, count - sent, Int32(MSG_NOSIGNAL))
                    }
                    guard written > 0 else { return }
                    sent += written
                }
            }
        }
    }
}
