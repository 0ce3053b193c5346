import Campaigns
import Logging
import MailTypes
import Synchronization
import TrafficShaping

/// Counts what receivers answer to the mail of each campaign, and pauses campaigns too much of whose mail is refused for its
/// sender; customer and operator are told of the first block already.
///
/// The counts of all nodes meet in the store: what this node heard goes there a few times a second, and before a batch is
/// settled.
final class BlockWatch: Sendable {
    fileprivate struct Key: Hashable {
        let account: AccountID
        let campaign: CampaignID
    }

    fileprivate struct State {
        var untold: [Key: CampaignAnswers] = [:]
        /// For operators, what this node has met last.
        var met: [Key: Met] = [:]
        /// To be paused, which the store has not managed yet.
        var unpaused: [Key: CampaignAnswers] = [:]

        var isUrgent: Bool { !unpaused.isEmpty || untold.values.contains { !$0.blocks.isEmpty } }
    }

    fileprivate struct Met {
        let reply: CampaignBlock.Reply
        let text: String
        let count: Int
        let at: SteadySeconds
    }

    private let state = Mutex(State())
    private let telling = Mutex<Task<Void, Never>?>(nil)
    private let store: DeliveryStore
    private let brake: BlockBrake?
    private let metrics: DeliveryMetrics
    private let clock: DeliveryClock
    private let logger: Logger

    /// - Parameter share: of answers that may be blocks before a campaign is paused; nil for any.
    init(
        store: DeliveryStore, share: Double?, metrics: DeliveryMetrics, clock: DeliveryClock = .system, logger: Logger
    ) {
        self.clock = clock
        self.store = store
        brake = share.map { BlockBrake(share: $0) }
        self.metrics = metrics
        self.logger = logger
    }

    // MARK: Hearing

    /// A mail was accepted or refused.
    ///
    /// - Parameters:
    ///   - isBlock: refused for its sender.
    ///   - isFirstAttempt: at its recipient.
    func answered(_ batch: BatchID, isBlock: Bool, isFirstAttempt: Bool, _ reply: RecipientReply) {
        let key = Key(account: batch.account, campaign: batch.campaign)
        let block =
            isBlock
            ? (
                reply: CampaignBlock.Reply(code: Int(reply.code), enhanced: reply.enhanced),
                text: reply.text.addressesMasked
            ) : nil
        let isNew = state.withLock { state in
            state.untold[key, default: CampaignAnswers(key.account, key.campaign)]
                .add(isFirstAttempt: isFirstAttempt, block: block)
            guard let block else { return false }
            return state.meet(block.reply, block.text, key, at: clock.steady())
        }
        guard let block else { return }
        metrics.count(\.blocks)
        if isNew {
            logger.warning(
                "receivers refuse a campaign's mail for its sender",
                metadata: [
                    "account": "\(key.account)", "campaign": "\(key.campaign)",
                    "reply": "\(Self.text(block.reply, block.text))",
                ])
        }
    }

    private static func text(_ reply: CampaignBlock.Reply, _ text: String) -> String {
        "\(reply.code)\(reply.enhanced.map { " \($0)" } ?? "") \(text)"
    }

    /// What this node has met in the last minutes, the latest first.
    var reports: [CampaignBlockReport] {
        let now = clock.steady()
        return state.withLock(\.met).filter { now - $0.value.at < Self.recent }.map { key, seen in
            CampaignBlockReport(
                account: key.account.rawValue, campaign: key.campaign.description,
                reply: Self.text(seen.reply, seen.text), count: seen.count,
                secondsAgo: max(0, now - seen.at))
        }.sorted { ($0.secondsAgo, $0.campaign) < ($1.secondsAgo, $1.campaign) }
    }

    private static let recent: SteadySeconds = 900

    // MARK: Telling

    /// Tells the store until the task is cancelled: soon where something was refused, else every few seconds.
    func run() async {
        var round = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(250))
            round += 1
            if state.withLock(\.isUrgent) || round % 8 == 0 { await tell() }
        }
    }

    /// Tells what was refused of a campaign whose batch is about to be settled: after its last one nobody counts any more.
    func tell(of batch: BatchID) async {
        let key = Key(account: batch.account, campaign: batch.campaign)
        if state.withLock({ !($0.untold[key]?.blocks.isEmpty ?? true) }) {
            await tell()
        } else {
            // What was refused of it may be on its way.
            await telling.withLock(\.self)?.value
        }
    }

    /// One after the other.
    func tell() async {
        let task = telling.withLock { last in
            let before = last
            // Detached: what is told is of all accounts, and takes no connection of the one whose batch asks for it.
            let task = Task.detached {
                await before?.value
                await self.tellWhatIsUntold()
            }
            last = task
            return task
        }
        await task.value
    }

    private func tellWhatIsUntold() async {
        let (heard, unpaused) = state.withLock { state in
            defer { (state.untold, state.unpaused) = ([:], [:]) }
            return (state.untold, state.unpaused)
        }
        for answers in unpaused.values { await pause(answers) }
        do {
            let (counts, held) = try await store.count(Array(heard.values), memory: BlockBrake.memory)
            state.withLock { $0.putBack(held) }
            for all in counts {
                guard brake?.stops(answers: all.answers, blocks: all.blocks) ?? false,
                    let answers = heard[Key(account: all.account, campaign: all.campaign)], !answers.blocks.isEmpty
                else { continue }
                await pause(answers)
            }
        } catch {
            // Told the next time.
            state.withLock { $0.putBack(Array(heard.values)) }
            logger.warning("blocks of campaigns not counted", metadata: ["error": "\(error)"])
        }
    }

    private func pause(_ answers: CampaignAnswers) async {
        let reply = answers.blocks.max { $0.value.count < $1.value.count }
        let text = reply.map { Self.text($0.key, $0.value.text) } ?? ""
        let reason = "receivers refuse this campaign's mail for its sender: \(text.prefix(Self.mostCharacters))"
        do {
            guard try await store.pause(answers.account, answers.campaign, reason: reason) else { return }
            metrics.count(\.campaignsBlocked)
            logger.error(
                "campaign paused: its mail is blocked",
                metadata: ["account": "\(answers.account)", "campaign": "\(answers.campaign)", "reason": "\(reason)"])
        } catch {
            let key = Key(account: answers.account, campaign: answers.campaign)
            state.withLock { $0.unpaused[key] = answers }
            // While somebody has locked it, this comes several times a second.
            logger.log(
                level: DeliveryStore.isLockedOut(error) ? .debug : .warning, "blocked campaign not paused",
                metadata: ["campaign": "\(answers.campaign)", "error": "\(error)"])
        }
    }

    private static let mostCharacters = 300
}

extension BlockWatch.State {
    private static var mostCampaigns: Int { 256 }

    /// - Returns: whether the campaign's mail has met none before.
    fileprivate mutating func meet(
        _ reply: CampaignBlock.Reply, _ text: String, _ key: BlockWatch.Key, at now: SteadySeconds
    ) -> Bool {
        let known = met[key]
        if known == nil, met.count >= Self.mostCampaigns, let oldest = met.min(by: { $0.value.at < $1.value.at }) {
            met[oldest.key] = nil
        }
        met[key] = BlockWatch.Met(reply: reply, text: text, count: (known?.count ?? 0) + 1, at: now)
        return known == nil
    }

    fileprivate mutating func putBack(_ heard: [CampaignAnswers]) {
        for earlier in heard {
            let key = BlockWatch.Key(account: earlier.account, campaign: earlier.campaign)
            untold[key, default: CampaignAnswers(key.account, key.campaign)].add(earlier: earlier)
        }
    }
}
