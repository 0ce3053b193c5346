import Campaigns
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

    /// - Parameters:
    ///   - sender: with a ``FateRecorder`` of its own, so that nothing of it counts among the node's mail.
    ///   - isBusy: whether live mail waits on this node.
    init(
        sender: Sender, store: DeliveryStore, clock: DeliveryClock, isBusy: @escaping @Sendable () -> Bool
    ) {
        self.sender = sender
        self.store = store
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
        attempt.rehearse(report)
    }

    // MARK: What comes back

    /// Takes in what recipients say of mail that they have taken, before its outcomes are settled. The outcomes are journalled by
    /// then. So where the node stops in between, whoever has the batch next finds them there and takes it in again, which changes
    /// nothing the second time.
    ///
    /// - Throws: `PostgresError`; then nothing may be settled
    func takeEchoes(of settlement: BatchSettlement, in run: BatchRun) async throws {
        let taken = Set(settlement.results.lazy.filter { $0.outcome == .delivered }.map(\.index))
        for (position, record) in run.batch.records.enumerated() where taken.contains(record.index) {
            let fingerprint = run.fingerprints[position]
            switch TestRecipient(record.address) {
            case .complaint:
                let mail = Self.complaint(run.runtime.token(of: fingerprint))
                try await store.takeComplaint(Array(mail.utf8))
            case .unsubscribe:
                try await store.takeUnsubscribe(
                    RecipientToken(
                        account: run.batch.id.account, campaign: run.batch.id.campaign, fingerprint: fingerprint))
            case .bounce, .suppressed, .deferral, .block, nil: break
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
