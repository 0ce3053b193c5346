import Foundation

/// One HTTP request over a socket of its own, whose body comes when it comes.
final class OpenRequest {
    private let descriptor: Int32
    private let hasBody: Bool

    /// Sends the head.
    ///
    /// - Parameter type: of a body that ``write(_:)`` gives; nil for a request without one.
    init(port: Int, _ method: String, _ path: String, key: String, type: String? = nil) throws {
        guard let descriptor = LoopbackPort.connect(port) else { throw CocoaError(.fileReadUnknown) }
        self.descriptor = descriptor
        hasBody = type != nil
        var patience = timeval(tv_sec: 120, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let body = type.map { "Content-Type: \($0)\r\nTransfer-Encoding: chunked\r\n" } ?? ""
        try send(
            "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nAuthorization: Bearer \(key)\r\n"
                + "Connection: close\r\n\(body)\r\n")
    }

    deinit { close(descriptor) }

    /// A portion of the body.
    func write(_ text: String) throws { try send(String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n") }

    struct Answer {
        let status: Int
        let text: String
    }

    /// Ends the body and reads the answer to its end.
    ///
    /// - Returns: status 0 where none came.
    func finish() throws -> Answer {
        if hasBody { try send("0\r\n\r\n") }
        var octets: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 { octets += buffer[..<count] }
        let text = String(decoding: octets, as: UTF8.self)
        let words = text.split(separator: " ", maxSplits: 2)
        return Answer(status: words.count > 1 ? Int(words[1]) ?? 0 : 0, text: text)
    }

    private func send(_ text: String) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard written > 0 else { throw CocoaError(.fileWriteUnknown) }
            rest = rest.dropFirst(written)
        }
    }
}
