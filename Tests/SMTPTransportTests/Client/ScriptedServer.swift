import MailTypes
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL
import SMTPProtocol
import SMTPTransport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A mail server that does what the test says, rightly or wrongly. It shares no code with the real listener.
final class ScriptedServer: Sendable {
    enum Step: Sendable {
        case write(String)
        /// The text so many times, in one go.
        case writeTimes(Int, String)
        case startTLS
        case close
        /// Close so that the peer gets RST.
        case reset
        /// Read nothing any more.
        case stopReading
        /// Forget what has come and was not read yet.
        case dropInput
    }

    struct Script: Sendable {
        var greeting: [Step] = [.write("220 mx.example\r\n")]
        var keywords = ["PIPELINING"]
        var identity: NIOSSLContext?
        /// Each octet goes in a packet of its own.
        var isTrickling = false
        /// What to write once something comes that is no line of text, such as the start of a handshake.
        var answerToBinary: String?
        /// What to do about a command line, or about "." after content; nil: as a decent server would.
        var react: @Sendable (_ line: String) -> [Step]? = { _ in nil }

        init(
            keywords: [String] = ["PIPELINING"], react: @escaping @Sendable (_ line: String) -> [Step]? = { _ in nil }
        ) {
            self.keywords = keywords
            self.react = react
        }
    }

    struct Seen: Sendable {
        var connections = 0
        var closed = 0
        /// All commands of all connections, without line ends.
        var commands: [String] = []
        /// What came between `354` and the end mark, as on the wire.
        var contents: [[UInt8]] = []
        var encryptedConnections = 0
    }

    let port: Int
    private let channel: any Channel
    private let seenBox: NIOLockedValueBox<Seen>

    /// - Parameter scripts: one for each connection in turn; the last serves all that follow.
    init(_ scripts: Script...) async throws {
        let seen = NIOLockedValueBox(Seen())
        seenBox = seen
        channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                let index = seen.withLockedValue { seen in
                    defer { seen.connections += 1 }
                    return seen.connections
                }
                let script = scripts[min(index, scripts.count - 1)]
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ScriptHandler(script, seen))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    var seen: Seen { seenBox.withLockedValue { $0 } }

    var target: SMTPTarget { target(host: "mx.example") }

    func target(host: String, preference: Int = 0, tls: SMTPTLSPolicy? = nil) -> SMTPTarget {
        guard let address = IPAddress("127.0.0.1") else { preconditionFailure("not an address") }
        return SMTPTarget(host: host, address: address, port: port, preference: preference, tls: tls)
    }

    func close() async throws { try await channel.close() }

    /// Waits until `condition` holds. A test that waits in vain hangs until its time limit.
    func wait(until condition: (Seen) -> Bool) async throws {
        while !condition(seen) { try await Task.sleep(for: .milliseconds(2)) }
    }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let script: ScriptedServer.Script
    private let seen: NIOLockedValueBox<ScriptedServer.Seen>
    private var input = ByteBuffer()
    private var isInContent = false
    private var isEncrypted = false

    init(_ script: ScriptedServer.Script, _ seen: NIOLockedValueBox<ScriptedServer.Seen>) {
        self.script = script
        self.seen = seen
    }

    func channelActive(context: ChannelHandlerContext) {
        perform(script.greeting, context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        seen.withLockedValue { $0.closed += 1 }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if let answer = script.answerToBinary, bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) == 0x16 {
            return write(answer, context)
        }
        input.writeBuffer(&bytes)
        while isInContent ? readContent(context) : readCommand(context) {}
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func readCommand(_ context: ChannelHandlerContext) -> Bool {
        let view = input.readableBytesView
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else { return false }
        let line = String(decoding: view[..<end], as: UTF8.self)
        input.moveReaderIndex(forwardBy: end - view.startIndex + 1)
        answer(line.hasSuffix("\r") ? String(line.dropLast()) : line + "(LF alone)", context)
        return true
    }

    /// Ends at the first end mark, wherever it is, so that one too many shows as commands that nobody sent.
    private func readContent(_ context: ChannelHandlerContext) -> Bool {
        guard let length = input.withUnsafeReadableBytes(Self.contentLength) else { return false }
        let content = input.readBytes(length: length) ?? []
        input.moveReaderIndex(forwardBy: 3)
        isInContent = false
        seen.withLockedValue { $0.contents.append(content) }
        answer(".", context)
        return true
    }

    private static func contentLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        // Looked for only at the end of a line: searching again with each packet would take for ever.
        guard bytes.suffix(2).elementsEqual("\r\n".utf8) else { return nil }
        var isLineStart = true
        for index in 0..<(bytes.count - 2) {
            if isLineStart, bytes[index] == 0x2E, bytes[index + 1] == 0x0D, bytes[index + 2] == 0x0A { return index }
            isLineStart = bytes[index] == 0x0A && index > 0 && bytes[index - 1] == 0x0D
        }
        return nil
    }

    private func answer(_ line: String, _ context: ChannelHandlerContext) {
        if line != "." { seen.withLockedValue { $0.commands.append(line) } }
        let steps = script.react(line) ?? decentAnswer(line)
        if line == "DATA", case .write(let reply)? = steps.first, reply.hasPrefix("354") { isInContent = true }
        perform(steps, context)
    }

    private func decentAnswer(_ line: String) -> [ScriptedServer.Step] {
        switch line.prefix(4).uppercased() {
        case "EHLO":
            let lines = ["mx.example"] + script.keywords.filter { !(isEncrypted && $0 == "STARTTLS") }
            return [
                .write(
                    lines.enumerated().map { index, line in
                        "250\(index + 1 == lines.count ? " " : "-")\(line)\r\n"
                    }.joined())
            ]
        case "STAR": return [.write("220 2.0.0 go ahead\r\n"), .startTLS]
        case "DATA": return [.write("354 go ahead\r\n")]
        case ".": return [.write("250 2.0.0 queued\r\n")]
        case "QUIT": return [.write("221 2.0.0 bye\r\n"), .close]
        default: return [.write("250 2.1.0 ok\r\n")]
        }
    }

    private func perform(_ steps: [ScriptedServer.Step], _ context: ChannelHandlerContext) {
        for step in steps {
            switch step {
            case .write(let text): write(text, context)
            case .writeTimes(let count, let text): write(String(repeating: text, count: count), context)
            case .startTLS: startTLS(context)
            case .close: context.close(promise: nil)
            case .reset:
                // Without lingering, close sends RST.
                _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
                context.close(promise: nil)
            case .dropInput: input.clear()
            case .stopReading: _ = context.channel.setOption(.autoRead, value: false)
            }
        }
    }

    private func write(_ text: String, _ context: ChannelHandlerContext) {
        guard script.isTrickling else {
            return context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
        }
        for byte in text.utf8 { context.writeAndFlush(NIOAny(ByteBuffer(bytes: [byte])), promise: nil) }
    }

    private func startTLS(_ context: ChannelHandlerContext) {
        guard let identity = script.identity else { return }
        isEncrypted = true
        seen.withLockedValue { $0.encryptedConnections += 1 }
        do {
            try context.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: identity), position: .first)
        } catch {
            Issue.record(error)
        }
    }
}
