import Foundation

/// Ports of 127.0.0.1 for programs that cannot choose one and say which.
enum LoopbackPort {
    /// Whether the machine has the address ::1.
    static var hasVersion6: Bool {
        let addresses = try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8)
        return addresses?.contains(String(repeating: "0", count: 31) + "1") ?? false
    }

    /// A port that nobody listened on a moment ago.
    static func free() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw CocoaError(.fileReadUnknown) }
        defer { close(descriptor) }
        var port: Int?
        withAddress(port: 0) { address, length in
            guard bind(descriptor, address, length) == 0 else { return }
            var length = length
            guard getsockname(descriptor, address, &length) == 0 else { return }
            port = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                Int(UInt16(bigEndian: $0.pointee.sin_port))
            }
        }
        guard let port else { throw CocoaError(.fileReadUnknown) }
        return port
    }

    /// A socket that listens on a port of its own.
    static func listen(address: UInt32 = 0x7F00_0001, port: Int = 0) throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var bound: Int?
        withAddress(port: UInt16(truncatingIfNeeded: port), host: address) { pointer, length in
            guard bind(descriptor, pointer, length) == 0, Glibc.listen(descriptor, 256) == 0 else { return }
            var length = length
            guard getsockname(descriptor, pointer, &length) == 0 else { return }
            bound = pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                Int(UInt16(bigEndian: $0.pointee.sin_port))
            }
        }
        guard let bound else {
            close(descriptor)
            throw CocoaError(.fileWriteUnknown)
        }
        return (descriptor, bound)
    }

    /// A connection to a port; nil where nobody listens.
    static func connect(_ port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var isConnected = false
        withAddress(port: UInt16(truncatingIfNeeded: port)) { isConnected = Glibc.connect(descriptor, $0, $1) == 0 }
        if !isConnected { close(descriptor) }
        return isConnected ? descriptor : nil
    }

    static func isListening(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var isConnected = false
        withAddress(port: UInt16(truncatingIfNeeded: port)) { isConnected = Glibc.connect(descriptor, $0, $1) == 0 }
        return isConnected
    }

    private static func withAddress(
        port: UInt16, host: UInt32 = 0x7F00_0001, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Void
    ) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = host.bigEndian
        address.sin_port = port.bigEndian
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
