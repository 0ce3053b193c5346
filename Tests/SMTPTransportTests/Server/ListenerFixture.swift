import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SMTPProtocol
import SMTPTransport

/// What the sessions of a test's listener have seen and how they answer.
final class RecordingHandler: SMTPSessionHandler {
    struct Seen: Sendable {
        var messages: [String] = []
        var faults: [SMTPContentFault] = []
        var secured = 0
        var closed = 0
    }

    let seen = NIOLockedValueBox(Seen())
    /// By local part; everything else is agreed to.
    let answers: [String: @Sendable (any EventLoop) -> SMTPServerAction]

    init(answers: [String: @Sendable (any EventLoop) -> SMTPServerAction] = [:]) {
        self.answers = answers
    }

    func makeSession(peer: SocketAddress?, on eventLoop: any EventLoop) -> any SMTPServerSession {
        Session(self, eventLoop)
    }

    private final class Session: SMTPServerSession {
        private let handler: RecordingHandler
        private let eventLoop: any EventLoop

        init(_ handler: RecordingHandler, _ eventLoop: any EventLoop) {
            self.handler = handler
            self.eventLoop = eventLoop
        }

        func secured() { handler.seen.withLockedValue { $0.secured += 1 } }
        func mail(_ mail: SMTPReceivedMail) -> SMTPServerAction { .reply(SMTPReply(250, nil, "OK")) }
        func recipient(_ path: SMTPPath) -> SMTPServerAction {
            handler.answers[String(path.localPart)]?(eventLoop) ?? .reply(SMTPReply(250, nil, "OK"))
        }
        func message(_ message: SMTPReceivedMessage) -> SMTPServerAction {
            handler.seen.withLockedValue { $0.messages.append(String(buffer: message.content)) }
            return .reply(SMTPReply(250, nil, "OK"))
        }
        func contentRefused(_ fault: SMTPContentFault) { handler.seen.withLockedValue { $0.faults.append(fault) } }
        func closed() { handler.seen.withLockedValue { $0.closed += 1 } }
    }
}

/// Runs `body` beside a listener that is gone afterwards.
func withListener(
    _ handler: RecordingHandler = RecordingHandler(),
    _ adjust: (inout SMTPListenerConfiguration) -> Void = { _ in },
    _ body: @Sendable (Int, SMTPListener) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    var configuration = SMTPListenerConfiguration(hostname: "mx.example.org")
    adjust(&configuration)
    let listener = SMTPListener(
        configuration: configuration, handler: handler, group: group, logger: Logger(label: "listener"))
    do {
        let port = try await listener.start()
        try await body(port, listener)
    } catch {
        await listener.shutdown()
        try await group.shutdownGracefully()
        throw error
    }
    await listener.shutdown()
    try await group.shutdownGracefully()
}
