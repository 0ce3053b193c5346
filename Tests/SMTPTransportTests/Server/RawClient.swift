import Foundation

/// A plain blocking socket, so that nothing of ours stands between the test and the listener.
final class RawClient {
    private let descriptor: CInt
    private var received: [UInt8] = []

    init?(port: Int) {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            return nil
        }
        // A listener that never answers must fail the test, not hang it.
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Foundation.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
    }

    /// The next reply, all its lines; nil at the end of the connection.
    func reply() -> String? {
        var text = ""
        while let line = readLine() {
            text += line + "\n"
            if line.utf8.dropFirst(3).first != UInt8(ascii: "-") { return text }
        }
        return text.isEmpty ? nil : text
    }

    /// The code of the next reply; nil at the end of the connection.
    func code() -> Int? {
        reply()?.split(separator: "\n").last.flatMap { Int($0.prefix(3)) }
    }

    func codes(_ count: Int) -> [Int?] { (0..<count).map { _ in code() } }

    /// Sends lines one by one and gives the codes of their replies.
    func ask(_ lines: String...) -> [Int?] {
        lines.map { line in
            send(line + "\r\n")
            return code()
        }
    }

    private func readLine() -> String? {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = received[..<end]
                received.removeSubrange(...end)
                return String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
            }
            var chunk = [UInt8](repeating: 0, count: 4_096)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            received += chunk.prefix(count)
        }
    }
}
