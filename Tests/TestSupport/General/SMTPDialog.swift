import Foundation

/// An SMTP client over a plain blocking socket, so that nothing of ours stands between a test and the server.
package final class SMTPDialog {
    private let descriptor: CInt
    private var received: [UInt8] = []

    /// Connects to a port of 127.0.0.1; the greeting is the first reply to read.
    package init?(port: Int) {
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
        // A server that never answers must fail the test, not hang it.
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Sends octets as they are: line ends are the caller's.
    package func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Foundation.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
    }

    /// The next reply, all its lines; nil at the end of the connection.
    package func reply() -> String? {
        var text = ""
        while let line = readLine() {
            text += line + "\n"
            if line.utf8.dropFirst(3).first != UInt8(ascii: "-") { return text }
        }
        return text.isEmpty ? nil : text
    }

    /// The code of the next reply; nil at the end of the connection.
    package func code() -> Int? {
        reply()?.split(separator: "\n").last.flatMap { Int($0.prefix(3)) }
    }

    package func codes(_ count: Int) -> [Int?] { (0..<count).map { _ in code() } }

    /// Sends lines one by one and gives the codes of their replies.
    package func askEach(_ lines: String...) -> [Int?] { lines.map { ask($0) } }

    /// Sends a line and gives the code of its reply; nil where the connection was closed instead.
    package func ask(_ line: String) -> Int? {
        send(line + "\r\n")
        return code()
    }

    /// One mail, step by step.
    ///
    /// - Returns: the code that ended it: of RCPT if that was refused, else of the final dot; nil where the connection
    ///   was closed instead.
    package func deliver(
        to recipients: String..., message: String = "Message-ID: <m@x.org>\r\n\r\nhello"
    ) -> Int? {
        guard ask("MAIL FROM:<a@example.org>") == 250 else { return nil }
        for recipient in recipients {
            let code = ask("RCPT TO:<\(recipient)>")
            if code != 250 {
                if code != nil { _ = ask("RSET") }
                return code
            }
        }
        guard ask("DATA") == 354 else { return nil }
        return ask(message + "\r\n.")
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
