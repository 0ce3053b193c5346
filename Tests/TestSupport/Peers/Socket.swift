package import Foundation

/// A UDP socket on 127.0.0.1.
package final class Socket: Sendable {
    package let descriptor: Int32
    package let port: Int

    /// - Parameter port: 0 for any that is free.
    package init(type: Int32 = Int32(SOCK_DGRAM.rawValue), port: Int = 0) throws {
        let descriptor = socket(AF_INET, type, 0)
        self.descriptor = descriptor
        var address = Self.loopback(port)
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard descriptor >= 0, isBound else {
            close(descriptor)
            throw POSIXError(.EADDRINUSE)
        }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        self.port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    /// A port that was free for both UDP and TCP a moment ago.
    package static func freePort() throws -> Int {
        for _ in 0..<50 {
            let udp = try Socket()
            if (try? Socket(type: Int32(SOCK_STREAM.rawValue), port: udp.port)) != nil { return udp.port }
        }
        throw POSIXError(.EADDRINUSE)
    }

    package static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// Waits up to `milliseconds`.
    package func receive(milliseconds: Int32) -> (bytes: [UInt8], from: sockaddr_in)? {
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&poller, 1, milliseconds) > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4_096)
        var from = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutablePointer(to: &from) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(descriptor, &bytes, bytes.count, 0, $0, &length)
            }
        }
        return count > 0 ? (Array(bytes.prefix(count)), from) : nil
    }

    package func send(_ bytes: [UInt8], to address: sockaddr_in) {
        var address = address
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
