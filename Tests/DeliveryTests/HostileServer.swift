import Foundation
import Synchronization

/// A mail server that misbehaves: each connection is a thread that runs the test's script over a plain socket.
final class HostileServer: Sendable {
    /// What a script sees of its connection.
    final class Session: @unchecked Sendable {
        /// From 1.
        let number: Int
        fileprivate let descriptor: Int32
        private let server: HostileServer
        private var buffer: [UInt8] = []
        /// The recipient of the transaction.
        private(set) var recipient = ""

        fileprivate init(_ number: Int, _ descriptor: Int32, _ server: HostileServer) {
            (self.number, self.descriptor, self.server) = (number, descriptor, server)
        }

        /// Nil at the end of the connection.
        func line() -> String? {
            while true {
                if let end = buffer.firstIndex(of: 10) {
                    let text = String(decoding: buffer[..<end], as: UTF8.self).trimmingCharacters(in: .newlines)
                    buffer.removeSubrange(...end)
                    if text.uppercased().hasPrefix("RCPT TO:"), let open = text.firstIndex(of: "<"),
                        let close = text.firstIndex(of: ">")
                    {
                        recipient = String(text[text.index(after: open)..<close])
                    }
                    return text
                }
                var block = [UInt8](repeating: 0, count: 65_536)
                let count = recv(descriptor, &block, block.count, 0)
                guard count > 0 else { return nil }
                buffer += block[..<count]
            }
        }

        /// False when nobody reads any more.
        @discardableResult func say(_ text: String) -> Bool { write(Array((text + "\r\n").utf8)) }

        @discardableResult func write(_ bytes: [UInt8]) -> Bool {
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes {
                    send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }

        /// Up to and with the line that begins so; nil at the end of the connection.
        @discardableResult func until(_ command: String) -> String? {
            while let line = line() { if line.uppercased().hasPrefix(command) { return line } }
            return nil
        }

        /// Greets and answers until the RCPT command has come.
        func untilRecipient() -> Bool {
            say("220 hostile.example.org ESMTP")
            while let line = line()?.uppercased() {
                if line.hasPrefix("EHLO") { say("250-hostile.example.org\r\n250 PIPELINING") }
                if line.hasPrefix("MAIL") || line.hasPrefix("RSET") { say("250 OK") }
                if line.hasPrefix("RCPT") { return true }
                if line.hasPrefix("QUIT") { return false }
            }
            return false
        }

        /// Takes RCPT and DATA and reads the content up to its final dot, which counts as taken.
        func untilFinalDot() -> Bool {
            guard untilRefusedContent() else { return false }
            server.took(recipient)
            return true
        }

        /// The same for content that the script is going to refuse.
        func untilRefusedContent() -> Bool {
            guard untilRecipient(), say("250 OK"), until("DATA") != nil, say("354 go on") else { return false }
            while let line = line() {
                if line == "." { return true }
            }
            return false
        }

        /// Reads the content up to its final dot, which counts as taken unless the script refuses it.
        func untilEndOfContent() -> Bool {
            while let line = line() {
                guard line == "." else { continue }
                server.took(recipient)
                return true
            }
            return false
        }

        /// Loses what was read and not yet looked at.
        func forget() { buffer.removeAll() }

        /// Serves as a good server does, to the end of the connection.
        ///
        /// - Parameter answer: to a command, in capitals; nil: as usual.
        func behave(offering keywords: [String] = ["PIPELINING"], answer: (_ command: String) -> String? = { _ in nil })
        {
            say("220 hostile.example.org ESMTP")
            var inContent = false
            while let line = line() {
                if inContent {
                    guard line == "." else { continue }
                    inContent = false
                    server.took(recipient)
                    say("250 taken")
                    continue
                }
                if let reply = answer(line.uppercased()) {
                    say(reply)
                    continue
                }
                switch line.uppercased().prefix(4) {
                case "EHLO":
                    let lines = ["hostile.example.org"] + keywords
                    say(lines.dropLast().map { "250-\($0)\r\n" }.joined() + "250 \(lines.last ?? "")")
                case "DATA":
                    inContent = true
                    say("354 go on")
                case "QUIT":
                    say("221 bye")
                    return
                default: say("250 OK")
                }
            }
        }

        /// Says nothing until the other side ends the connection.
        func stall() {
            var octet: UInt8 = 0
            while recv(descriptor, &octet, 1, 0) > 0 {}
        }

        /// An octet now and then, until the other side has enough.
        func drip(_ octet: Character) {
            while write(Array(String(octet).utf8)) { usleep(100_000) }
        }

        func halfClose() { shutdown(descriptor, Int32(SHUT_WR)) }

        /// The connection ends with RST.
        func reset() {
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        }
    }

    let port: Int
    private let listener: Int32
    private let state = Mutex((connections: 0, copies: [String: Int]()))

    /// - Parameters:
    ///   - address: on loopback, with its last octet.
    ///   - port: 0 for any.
    ///   - script: returns to end its connection.
    init(on address: UInt8 = 1, port: Int = 0, _ script: @escaping @Sendable (Session) -> Void) throws {
        let host = UInt32(0x7F00_0000) + UInt32(address)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = host.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard descriptor >= 0, isListening else { throw POSIXError(.EADDRINUSE) }
        (listener, self.port) = (descriptor, Int(UInt16(bigEndian: address.sin_port)))
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0, let self else { return }
                let number = state.withLock { state in
                    state.connections += 1
                    return state.connections
                }
                Thread.detachNewThread { [self] in
                    script(Session(number, client, self))
                    close(client)
                }
            }
        }
    }

    deinit { stop() }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// How often each recipient's mail came whole.
    var copies: [String: Int] { state.withLock(\.copies) }
    var connections: Int { state.withLock(\.connections) }

    fileprivate func took(_ recipient: String) { state.withLock { $0.copies[recipient, default: 0] += 1 } }
}
