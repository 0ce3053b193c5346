import Foundation
import Logging

@testable import Application

/// A session with a sink over a plain blocking socket.
final class SinkDialog {
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
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard code() == 220, ask("EHLO test.example") == 250 else { return nil }
    }

    deinit { close(descriptor) }

    /// The code of the reply; nil where the connection was closed instead.
    func ask(_ text: String) -> Int? {
        let bytes = Array((text + "\r\n").utf8)
        _ = send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
        return code()
    }

    /// One mail, step by step.
    ///
    /// - Returns: the code that ended it: of RCPT if that was refused, else of the final dot; nil where the connection
    ///   was closed instead.
    func deliver(to recipients: String..., message: String = "Message-ID: <m@x.org>\r\n\r\nhello") -> Int? {
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

    private func code() -> Int? {
        while true {
            while let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(received[..<end])
                received.removeSubrange(...end)
                if line.count > 3, line[3] != UInt8(ascii: "-") {
                    return Int(String(decoding: line.prefix(3), as: UTF8.self))
                }
            }
            var chunk = [UInt8](repeating: 0, count: 4_096)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            received += chunk.prefix(count)
        }
    }
}

/// Runs `body` beside a sink and gives its totals.
func withSink(
    _ adjust: (inout SmartSinkConfiguration) -> Void = { _ in },
    _ body: @Sendable (Int, SmartSink) async throws -> Void
) async throws -> SinkTotals {
    var configuration = SmartSinkConfiguration()
    adjust(&configuration)
    let sink = SmartSink(configuration, logger: Logger(label: "sink"))
    let port = try await sink.start()
    do {
        try await body(port, sink)
    } catch {
        await sink.shutdown()
        throw error
    }
    await sink.shutdown()
    return sink.totals
}

/// A folder that is gone afterwards.
func withTemporaryFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-sink-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder.path)
}
