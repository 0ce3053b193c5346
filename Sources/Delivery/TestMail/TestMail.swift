import Campaigns
import Logging
import MailTypes
import Synchronization
import TrafficShaping
import Vault

/// The way of test mail, which leads nowhere (decision 0126). Mails are rendered, signed and journalled as others are; where a
/// connection would carry them, ``TestReceiver`` answers. Nothing here can look up a name or open a connection.
final class TestMail: Sendable {
    private let sender: Sender
    private let store: DeliveryStore
    private let pace: TestPace
    private let echoes = Mutex<[Echo]>([])
    private let logger: Logger

    /// - Parameters:
    ///   - sender: with a ``FateRecorder`` of its own, so that nothing of it counts among the node's mail.
    ///   - isBusy: whether live mail waits on this node.
    init(
        sender: Sender, store: DeliveryStore, clock: DeliveryClock, logger: Logger,
        isBusy: @escaping @Sendable () -> Bool
    ) {
        self.sender = sender
        self.store = store
        self.logger = logger
        pace = TestPace(clock: clock, isBusy: isBusy)
    }

    /// Mails under way at once: intents share a journal commit.
    private static let mailsAtOnce = 8

    /// Ends the mails of a run, at the pace of test mail.
    func carry(_ run: BatchRun, _ positions: [Int]) async {
        await withDiscardingTaskGroup { group in
            for first in 0..<min(Self.mailsAtOnce, positions.count) {
                group.addTask {
                    for place in stride(from: first, to: positions.count, by: Self.mailsAtOnce) {
                        await self.send(run, positions[place])
                    }
                }
            }
        }
    }

    private func send(_ run: BatchRun, _ position: Int) async {
        await pace.wait()
        let mail = QueuedMail(run: run, position: position, queuedAt: sender.clock.steady())
        guard !sender.endIfOver(mail) else { return }
        run.start(position)
        let record = run.batch.records[position]
        let report = TestReceiver.report(record.address, attempt: Int(record.attempt) + 1)
        guard let ready = await sender.prepare(mail) else { return }
        // As behind a smarthost: nobody knows the recipient's provider.
        let attempt = MailAttempt(
            ready: ready, provider: .relay(limits: LaneLimits()), isSmarthost: true, sender: sender)
        guard attempt.rehearse(report), let echo = Echo(run, position) else { return }
        echoes.withLock { $0.append(echo) }
    }

    // MARK: What comes back

    /// What a recipient says of a mail that it took.
    private struct Echo {
        let kind: TestRecipient
        let token: RecipientToken
        let text: String

        /// Nil where it says nothing.
        init?(_ run: BatchRun, _ position: Int) {
            guard let kind = TestRecipient(run.batch.records[position].address) else { return nil }
            let fingerprint = run.fingerprints[position]
            self.kind = kind
            token = RecipientToken(
                account: run.batch.id.account, campaign: run.batch.id.campaign, fingerprint: fingerprint)
            text = run.runtime.token(of: fingerprint)
        }
    }

    /// Takes in what recipients have said, once their batch is settled: complaints and wishes come after the mail. Those of a
    /// node that stops in between are lost.
    func takeEchoes() async {
        for echo in echoes.withLock({ echoes in
            defer { echoes = [] }
            return echoes
        }) {
            do {
                switch echo.kind {
                case .complaint: try await store.takeComplaint(Array(Self.complaint(echo.text).utf8))
                case .unsubscribe: try await store.takeUnsubscribe(echo.token)
                case .bounce, .suppressed, .deferral, .block: break
                }
            } catch {
                logger.warning("feedback of test mail not taken in", metadata: ["error": "\(error)"])
            }
        }
    }

    /// A report in ARF (RFC 5965), as feedback loops write it.
    private static func complaint(_ token: String) -> String {
        """
        From: loop@simulator.test
        Subject: complaint
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=feedback-report; boundary="b"

        --b
        Content-Type: text/plain

        A complaint about test mail.

        --b
        Content-Type: message/feedback-report

        Feedback-Type: abuse
        User-Agent: Sluice-Simulator/1
        Version: 1

        --b
        Content-Type: text/rfc822-headers

        CFBL-Feedback-ID: \(token)

        --b--
        """.replacing("\n", with: "\r\n")
    }
}

/// When the next test mail of the node may start.
private final class TestPace: Sendable {
    private let next = Mutex<SteadySeconds>(-.infinity)
    private let clock: DeliveryClock
    private let isBusy: @Sendable () -> Bool

    init(clock: DeliveryClock, isBusy: @escaping @Sendable () -> Bool) {
        self.clock = clock
        self.isBusy = isBusy
    }

    /// Mails a second.
    private static let idleRate = 100.0
    private static let busyRate = 10.0

    func wait() async {
        let now = clock.steady()
        let gap = 1 / (isBusy() ? Self.busyRate : Self.idleRate)
        let start = next.withLock { next in
            let start = max(next, now)
            next = start + gap
            return start
        }
        if start > now { try? await Task.sleep(for: .seconds(start - now)) }
    }
}
