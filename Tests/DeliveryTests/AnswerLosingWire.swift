import Foundation
import Postgres
import Synchronization
import TestDatabases
import TestSupport

/// Carries connections to the tests' PostgreSQL server, and loses the answer to one commit: the server has done it, and the
/// client hears nothing but the end of its connection.
final class AnswerLosingWire: Sendable {
    private let directory: String
    private let target: String
    private let marker: [UInt8]
    private let listener: Int32
    private let losses = Atomic(0)

    /// Commits whose answers were lost.
    var lost: Int { losses.load(ordering: .relaxed) }

    /// - Parameter marker: the commit meant is the next one after a statement with these words was prepared.
    init(to database: TestDatabase, losingCommitAfter marker: String) throws {
        directory = NSTemporaryDirectory() + "sluice-wire-" + String(UInt32.random(in: 0 ... .max), radix: 36)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        target = Self.path(in: database.endpoint.socketDirectory)
        self.marker = Array(marker.utf8)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let isListening = Self.withAddress(Self.path(in: directory)) { bind(descriptor, $0, $1) } == 0
        guard isListening, listen(descriptor, 64) == 0 else { throw POSIXError(.EADDRINUSE) }
        listener = descriptor
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0, let wire = self else { return }
                Thread.detachNewThread { wire.carry(client) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// The database as reached over the wire.
    func pool(_ database: TestDatabase) -> PostgresPool {
        var configuration = database.configuration()
        configuration.parameters["host"] = directory
        return PostgresPool(configuration: configuration, logger: .silent)
    }

    private func carry(_ client: Int32) {
        let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer {
            close(client)
            close(server)
        }
        guard Self.withAddress(target, { connect(server, $0, $1) }) == 0 else { return }
        var (isMarked, isLosing) = (false, false)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            var ends = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&ends, 2, -1) > 0 else { return }
            for (index, end) in ends.enumerated() where end.revents != 0 {
                let count = read(end.fd, &buffer, buffer.count)
                guard count > 0 else { return }
                let chunk = Array(buffer.prefix(count))
                if index == 0 {
                    isLosing = isMarked && chunk.contains(Array("COMMIT".utf8)) && lost == 0
                    isMarked = isMarked || chunk.contains(marker)
                } else if isLosing {
                    losses.add(1, ordering: .relaxed)
                    return
                }
                guard send(ends[1 - index].fd, chunk, count, Int32(MSG_NOSIGNAL)) == count else { return }
            }
        }
    }

    private static func path(in directory: String) -> String { directory + "/.s.PGSQL.\(ServerEndpoint.port)" }

    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
