import CPostgres
import Glibc
import Logging
import Synchronization

/// Waits for notifications on a connection and a thread of its own, and reconnects with jittered pauses.
final class PostgresListener: Sendable {
    /// Notifications kept for a slow reader.
    static let maximumBuffered = 1024

    private let channels: [String]
    private let configuration: PostgresConfiguration
    private let continuation: AsyncStream<PostgresNotification>.Continuation
    private let logger: Logger
    private let wakeUp = WakeUp()

    init(
        channels: [String], configuration: PostgresConfiguration,
        continuation: AsyncStream<PostgresNotification>.Continuation, logger: Logger
    ) {
        self.channels = channels
        self.configuration = configuration
        self.continuation = continuation
        self.logger = logger
    }

    func start() {
        if !startThread({ [self] in run() }) { continuation.finish() }
    }

    /// Wakes the thread and lets it end.
    func stop() { wakeUp.signal() }

    private func run() {
        var attempt = 0
        while !wakeUp.isSignalled {
            let session = LibpqSession(maximumStatements: 1, health: ConnectionHealth())
            do {
                try session.open(configuration)
                try session.execute(script: channels.map { "LISTEN \(SQL.quoted(identifier: $0));" }.joined())
                attempt = 0
                continuation.yield(.reconnected)
                try receive(session)
            } catch {
                logger.debug("listening to PostgreSQL was interrupted", metadata: ["error": "\(error)"])
            }
            session.close()
            if wakeUp.isSignalled { break }
            wakeUp.wait(atMost: RetryBackoff.connecting.delay(attempt: attempt))
            attempt += 1
        }
        continuation.finish()
    }

    private func receive(_ session: LibpqSession) throws(PostgresError) {
        while wakeUp.waitForInput(of: session.health) {
            for notification in try session.takeNotifications() {
                if case .dropped = continuation.yield(notification) { continuation.yield(.reconnected) }
            }
        }
    }
}

/// A descriptor that becomes readable when a thread that polls shall look up.
private final class WakeUp: Sendable {
    private let descriptor: Int32
    private let writer: Int32
    private let signalled = Atomic(false)

    init() {
        let pair = SocketPair()
        descriptor = pair?.reader ?? -1
        writer = pair?.writer ?? -1
    }

    deinit {
        for end in [descriptor, writer] where end >= 0 { Glibc.close(end) }
    }

    var isSignalled: Bool { signalled.load(ordering: .acquiring) }

    func signal() {
        guard !signalled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var byte: UInt8 = 0
        _ = unsafe Glibc.write(writer, &byte, 1)
    }

    func wait(atMost duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe Glibc.poll(&poll, 1, Int32(clamping: milliseconds))
    }

    /// - Returns: false once signalled.
    func waitForInput(of health: ConnectionHealth) -> Bool {
        var polls = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: health.socket, events: Int16(POLLIN), revents: 0),
        ]
        // Without a descriptor to be woken by (none was free), look up once a second.
        _ = unsafe Glibc.poll(&polls, 2, descriptor < 0 ? 1000 : -1)
        return !isSignalled
    }
}
