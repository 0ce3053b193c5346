import Foundation

/// Ports of 127.0.0.1 for programs that cannot choose one and say which.
enum LoopbackPort {
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

    static func isListening(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var isConnected = false
        withAddress(port: UInt16(truncatingIfNeeded: port)) { isConnected = connect(descriptor, $0, $1) == 0 }
        return isConnected
    }

    private static func withAddress(
        port: UInt16, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Void
    ) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = port.bigEndian
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
