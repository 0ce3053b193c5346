import Logging
package import NIOCore
import NIOPosix
package import SMTPProtocol
package import SMTPTransport
import Synchronization
import TestSupport

/// An SMTP server that answers each mail as its test says, and keeps what came.
package final class MailServer: SMTPSessionHandler {
    package enum Answer: Sendable {
        case accept
        /// The answer to RCPT.
        case recipient(SMTPReply)
        /// The answer to the final dot.
        case content(SMTPReply)
        /// Takes the mail and closes the connection without a word.
        case silence
        /// Takes the mail and says so only after ``release()``.
        case held
        /// Agrees to the recipient only after ``releaseHeld()``, and then does this.
        indirect case heldAtRecipient(then: Answer)
    }

    /// - Parameter attempt: 1 when the recipient is named for the first time.
    package typealias Script = @Sendable (_ address: String, _ attempt: Int) -> Answer

    /// A message that came to its final dot.
    package struct Mail: Sendable {
        package let recipient: String
        package let reversePath: String
        package let content: String
        /// Whether the recipient has it, whatever the sender knows of that.
        package let isTaken: Bool
        package let wasEncrypted: Bool

        /// With the name of its field; empty where there is none.
        package var messageID: Substring {
            content.split(separator: "\r\n").first { $0.hasPrefix("Message-ID: ") } ?? ""
        }
    }

    private struct State {
        var senderReplies: [SMTPReply]
        var attempts: [String: Int] = [:]
        var mails: [Mail] = []
        var peers: Set<String> = []
        var held: [EventLoopPromise<SMTPServerAction>] = []
        var isReleased = false
    }

    private let identity: TLSIdentity?
    private let offersPipelining: Bool
    private let script: Script
    private let state: Mutex<State>

    /// - Parameters:
    ///   - identity: offers STARTTLS with it.
    ///   - offersPipelining: takes commands in groups.
    ///   - senderReplies: to the first MAIL commands; later ones are agreed to.
    package init(
        identity: TLSIdentity? = nil, offersPipelining: Bool = true, senderReplies: [SMTPReply] = [],
        _ script: @escaping Script = { _, _ in .accept }
    ) {
        self.identity = identity
        self.offersPipelining = offersPipelining
        self.script = script
        state = Mutex(State(senderReplies: senderReplies))
    }

    package var mails: [Mail] { state.withLock(\.mails) }
    /// How often each recipient was named. A server that takes commands in groups may hear of one whose mail goes another way.
    package var attempts: [String: Int] { state.withLock(\.attempts) }
    /// The addresses that connections came from.
    package var peers: Set<String> { state.withLock(\.peers) }
    package var heldCount: Int { state.withLock(\.held.count) }
    /// How often each recipient has the mail.
    package var copies: [String: Int] {
        mails.reduce(into: [:]) { copies, mail in if mail.isTaken { copies[mail.recipient, default: 0] += 1 } }
    }

    /// Accepts what is held, and from now on without a wait.
    package func release() {
        state.withLock { $0.isReleased = true }
        releaseHeld()
    }

    /// Accepts what is held.
    package func releaseHeld() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for promise in held { promise.succeed(.reply(Self.ok)) }
    }

    /// Runs `body` with the port that the server listens on.
    ///
    /// - Parameter port: 0 for any.
    package func run<Value>(
        on host: String = "127.0.0.1", port: Int = 0, _ body: (_ port: Int) async throws -> Value
    ) async throws -> Value {
        var configuration = SMTPListenerConfiguration(hostname: "mx.example.org")
        (configuration.host, configuration.port) = (host, port)
        configuration.identity = identity
        configuration.profile.offersPipelining = offersPipelining
        let listener = SMTPListener(
            configuration: configuration, handler: self, group: MultiThreadedEventLoopGroup.singleton, logger: .silent)
        let port = try await listener.start()
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(port))
        } catch {
            result = .failure(error)
        }
        release()
        await listener.shutdown()
        return try result.get()
    }

    package func makeSession(peer: SocketAddress?, on eventLoop: any EventLoop) -> any SMTPServerSession {
        if let address = peer?.ipAddress { state.withLock { _ = $0.peers.insert(address) } }
        return Session(self, eventLoop)
    }

    private static let ok = SMTPReply(250, nil, "OK")

    private func answer(to address: String) -> Answer {
        let attempt = state.withLock { state in
            state.attempts[address, default: 0] += 1
            return state.attempts[address, default: 0]
        }
        return script(address, attempt)
    }

    private func hold(on eventLoop: any EventLoop) -> SMTPServerAction {
        let promise = eventLoop.makePromise(of: SMTPServerAction.self)
        let isReleased = state.withLock { state in
            if !state.isReleased { state.held.append(promise) }
            return state.isReleased
        }
        if isReleased { promise.succeed(.reply(Self.ok)) }
        return .future(promise.futureResult)
    }

    private final class Session: SMTPServerSession {
        private let server: MailServer
        private let eventLoop: any EventLoop
        private var reversePath = ""
        private var recipient = ""
        private var answer = Answer.accept
        private var isEncrypted = false

        init(_ server: MailServer, _ eventLoop: any EventLoop) {
            self.server = server
            self.eventLoop = eventLoop
        }

        func secured() { isEncrypted = true }

        func mail(_ mail: SMTPReceivedMail) -> SMTPServerAction {
            reversePath = mail.reversePath.text
            let reply = server.state.withLock { state in
                state.senderReplies.isEmpty ? nil : state.senderReplies.removeFirst()
            }
            return .reply(reply ?? ok)
        }

        func recipient(_ path: SMTPPath) -> SMTPServerAction {
            recipient = path.text
            answer = server.answer(to: path.text)
            if case .recipient(let reply) = answer { return .reply(reply) }
            guard case .heldAtRecipient(let then) = answer else { return .reply(ok) }
            answer = then
            return server.hold(on: eventLoop)
        }

        func message(_ message: SMTPReceivedMessage) -> SMTPServerAction {
            var isTaken = true
            if case .content = answer { isTaken = false }
            let mail = Mail(
                recipient: recipient, reversePath: reversePath, content: String(buffer: message.content),
                isTaken: isTaken, wasEncrypted: isEncrypted)
            server.state.withLock { $0.mails.append(mail) }
            switch answer {
            case .accept, .recipient: return .reply(ok)
            case .content(let reply): return .reply(reply)
            case .silence: return .close(nil)
            case .held, .heldAtRecipient: return server.hold(on: eventLoop)
            }
        }
    }
}
