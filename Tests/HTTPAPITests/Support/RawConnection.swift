import Glibc

/// A TCP connection that says exactly what a test wants it to say. Never blocks a thread for long.
final class RawConnection: Sendable {
    private let descriptor: Int32

    /// - Parameter port: of this machine.
    init(port: Int) throws {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo("localhost", String(port), &hints, &list) == 0 else { throw Failure(call: "getaddrinfo") }
        defer { freeaddrinfo(list) }
        var next = list
        while let address = next?.pointee {
            let descriptor = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
            if connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 {
                _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
                self.descriptor = descriptor
                return
            }
            Glibc.close(descriptor)
            next = address.ai_next
        }
        throw Failure(call: "connect")
    }

    func write(_ text: String) async throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else {
                guard errno == EAGAIN else { throw Failure(call: "send") }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    /// Everything that has come, until it fulfils the condition or the server has closed.
    func read(until isEnough: (String) -> Bool = { _ in false }) async throws -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            if count > 0 {
                bytes += buffer[..<count]
                let text = String(decoding: bytes, as: UTF8.self)
                if isEnough(text) { return text }
            } else {
                guard errno == EAGAIN else { return String(decoding: bytes, as: UTF8.self) }
                try await Task.sleep(for: .milliseconds(10))
            }
        }
        throw Failure(call: "nothing more came after: \(String(decoding: bytes, as: UTF8.self))")
    }

    /// No more is said, but answers are still heard.
    func closeWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends the connection; the object lives on without one.
    func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    deinit { Glibc.close(descriptor) }

    struct Failure: Error {
        let call: String
    }
}

extension String {
    /// Status and body of a response on a raw connection.
    var rawStatus: Int? { split(separator: " ").dropFirst().first.flatMap { Int($0) } }
    var rawBody: String { ranges(of: "\r\n\r\n").first.map { String(self[$0.upperBound...]) } ?? "" }
}
