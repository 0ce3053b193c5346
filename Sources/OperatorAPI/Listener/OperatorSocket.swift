import Foundation
package import Logging

/// The unix socket of the operator's listener. Only the user that runs the server may connect.
///
/// It is made inside a directory that nobody else may enter and moved to its place once its mode is right, so that there is
/// no moment at which others could connect. A move also replaces the socket of a server that was killed.
package struct OperatorSocket: Sendable {
    package let path: String
    private let workshop: String

    /// What is bound.
    package var bindPath: String { workshop + "/s" }

    /// - Parameter path: where clients look for it.
    package init(_ path: String) {
        self.path = path
        workshop = path + "." + String(getpid(), radix: 36)
    }

    /// - Returns: false, with a warning, where there can be no socket. The server works without.
    package func prepare(_ logger: Logger) -> Bool {
        guard bindPath.utf8.count <= Self.mostOctets else {
            logger.warning(
                "no operator socket: its path is too long; name a shorter one with --operator-socket",
                metadata: ["path": "\(path)"])
            return false
        }
        guard !Self.isListening(path) else {
            logger.warning(
                "no operator socket: another process listens there; name another with --operator-socket",
                metadata: ["path": "\(path)"])
            return false
        }
        try? FileManager.default.removeItem(atPath: workshop)
        guard mkdir(workshop, 0o700) == 0 else {
            logger.warning(
                "no operator socket: its directory cannot be written",
                metadata: ["path": "\(path)", "error": "\(String(cString: strerror(errno)))"])
            return false
        }
        return true
    }

    /// Once it is bound.
    func publish(_ logger: Logger) {
        guard chmod(bindPath, 0o600) == 0, rename(bindPath, path) == 0 else {
            logger.warning("operator socket not put in its place", metadata: ["path": "\(path)"])
            return
        }
        rmdir(workshop)
    }

    func remove() { unlink(path) }

    /// Of `sun_path` (unix(7)), its end mark included: 108.
    private static let mostOctets = 107

    private static func isListening(_ path: String) -> Bool {
        guard path.utf8.count <= mostOctets else { return false }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}
