package import Logging
import MailTypes
package import Postgres
import Synchronization
package import Vault

/// Empties the outbox: claims endpoints that have something to be told, and tells them, campaign by campaign in order.
///
/// An endpoint is served by one node at a time, under a lease, in runs of some seconds. A node serves a bounded number of
/// endpoints at once, and few of one account, so a slow endpoint keeps only itself waiting.
package final class WebhookWorker: Sendable {
    /// The only time and the only chance.
    package struct World: Sendable {
        /// Microseconds since 1970.
        package var now: @Sendable () -> Int64 = { SystemTime.microseconds() }
        /// From 0 to 1.
        package var chance: @Sendable () -> Double = { .random(in: 0...1) }
        /// From one look for what an endpoint is to be told to the next. While a campaign is under way its events come in
        /// many small commits, and a message costs as much as dozens of events do: so they gather.
        package var lookInterval = Duration.milliseconds(250)

        package init() {}
    }

    private struct State {
        var busy: [AccountID: Int] = [:]
        var runs = 0
    }

    private let records: PostgresPool
    private let vault: Vault
    private let sender: WebhookSender
    private let queue: WebhookQueue
    private let world: World
    private let logger: Logger
    private let state = Mutex(State())
    package let tally = WebhookTally()

    /// - Parameter node: its name; processes of one name are told apart.
    package init(
        records: PostgresPool, vault: Vault, sender: WebhookSender, node: String, world: World = World(),
        logger: Logger
    ) {
        self.records = records
        self.vault = vault
        self.sender = sender
        self.world = world
        self.logger = logger
        queue = WebhookQueue(records: records, node: "\(node) \(UInt64.random(in: 0 ... .max))")
    }

    /// Seconds for which a run begins new messages. With the time-out of the last one it ends before its lease.
    private static let runSeconds: Int64 = 20
    private static let shortestPause = Duration.milliseconds(50)
    private static let longestPause = Duration.seconds(1)
    private static let sweepSeconds: Int64 = 30

    // MARK: Loops

    /// Until cancelled. What is under way then is broken off, and tried again by another node.
    package func run() async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.keepSwept() }
            tasks.addTask { await self.claimForever() }
        }
        // In a task of its own: this one is cancelled.
        await Task { try? await self.queue.releaseAll() }.value
    }

    private func keepSwept() async {
        while !Task.isCancelled {
            do {
                tally.dropped(try await WebhookSweep(records: records).sweep(now: world.now()))
            } catch  where !Task.isCancelled {
                logger.warning("webhook outbox not swept", metadata: ["error": "\(error)"])
            } catch {}
            try? await Task.sleep(for: .seconds(Self.sweepSeconds))
        }
    }

    private func claimForever() async {
        await withDiscardingTaskGroup { runs in
            var pause = Self.shortestPause
            while !Task.isCancelled {
                var claims: [WebhookQueue.Claim] = []
                do {
                    claims = try await claim()
                } catch  where !Task.isCancelled {
                    logger.warning("webhooks not claimed", metadata: ["error": "\(error)"])
                    pause = Self.longestPause
                } catch {}
                for claim in claims { runs.addTask { await self.serve(claim) } }
                pause = claims.isEmpty ? min(pause * 2, Self.longestPause) : Self.shortestPause
                try? await Task.sleep(for: pause)
            }
        }
    }

    /// Serves everything that is due now. For tests.
    ///
    /// - Returns: how many runs it took.
    package func drain() async throws -> Int {
        var count = 0
        while true {
            let claims = try await claim()
            guard !claims.isEmpty else { return count }
            count += claims.count
            await withTaskGroup(of: Void.self) { runs in
                for claim in claims { runs.addTask { await self.serve(claim) } }
            }
        }
    }

    private func claim() async throws -> [WebhookQueue.Claim] {
        let (free, busy) = state.withLock { (WebhookLimits.runs - $0.runs, $0.busy) }
        guard free > 0 else { return [] }
        let claims = try await queue.claim(free, busy: busy, now: world.now())
        state.withLock { state in
            for claim in claims {
                state.runs += 1
                state.busy[claim.account, default: 0] += 1
            }
        }
        return claims
    }

    private func ended(_ claim: WebhookQueue.Claim) {
        state.withLock { state in
            state.runs -= 1
            let rest = (state.busy[claim.account] ?? 1) - 1
            state.busy[claim.account] = rest > 0 ? rest : nil
        }
    }

    // MARK: One endpoint

    private func serve(_ claim: WebhookQueue.Claim) async {
        defer { ended(claim) }
        var rest: Int64?
        do {
            rest = try await deliver(claim)
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning(
                "webhook not served",
                metadata: [
                    "account": "\(claim.account)", "webhook": "\(claim.endpoint)", "error": "\(error)",
                ])
            rest = world.now() + 10_000_000
        }
        do {
            try await queue.release(claim, restUntil: rest)
        } catch {
            // Its lease runs out.
            logger.warning("webhook not given back", metadata: ["webhook": "\(claim.endpoint)"])
        }
    }

    /// - Returns: until when the endpoint is left alone, in microseconds.
    private func deliver(_ claim: WebhookQueue.Claim) async throws -> Int64? {
        let key = try await vault.accountKeys(claim.account).sealing
        let settings = try WebhookSettings(claim.sealed, key, claim.account, claim.endpoint)
        let url = try WebhookURL(settings.url, allowsPrivate: true)
        let (line, refusal) = await sender.line(to: url)
        let run = Run(
            claim: claim, settings: settings, accountKey: key, line: line, refusal: refusal,
            end: world.now() + Self.runSeconds * 1_000_000)
        let rest = await served(run)
        await line?.close()
        return try rest.get()
    }

    /// One run's endpoint and the way to it.
    private struct Run: Sendable {
        let claim: WebhookQueue.Claim
        let settings: WebhookSettings
        let accountKey: SealingKey
        /// Nil where no address may be used.
        let line: WebhookSender.Line?
        let refusal: String?
        let end: Int64
    }

    private func served(_ run: Run) async -> Result<Int64?, any Error> {
        do {
            while true {
                let now = world.now()
                let nextLook = ContinuousClock.now + world.lookInterval
                let heads = try await queue.heads(run.claim, now: now)
                guard !heads.due.isEmpty else {
                    // What has come meanwhile is looked for soon, what failed when its time has come.
                    return .success(heads.nextAt.map { min(max($0, now + 1_000_000), now + 15_000_000) })
                }
                guard now < run.end, !Task.isCancelled else { return .success(nil) }
                switch try await tell(run, heads.due) {
                case .failed:
                    let failures = min(run.claim.failures, 3)
                    return .success(world.now() + Int64(1_000_000 << failures))
                case .all: try? await Task.sleep(until: nextLook, clock: .continuous)
                case .some: break
                }
            }
        } catch {
            return .failure(error)
        }
    }

    /// How far a look got.
    private enum Told: Int {
        /// What waited was told.
        case all
        /// More waits than a look takes.
        case some
        /// A message was not taken: the endpoint is left alone for a moment.
        case failed

        static func worse(_ left: Told, _ right: Told) -> Told { left.rawValue > right.rawValue ? left : right }
    }

    /// Tells what is next of each campaign, a few campaigns at a time.
    private func tell(_ run: Run, _ campaigns: [Int64]) async throws -> Told {
        try await withThrowingTaskGroup(of: Told.self) { streams in
            for campaign in campaigns.prefix(WebhookLimits.streams) {
                streams.addTask { try await self.tell(run, campaign) }
            }
            let isWhole = campaigns.count <= WebhookLimits.streams
            return try await streams.reduce(isWhole ? .all : .some, Told.worse)
        }
    }

    // MARK: One campaign

    private func tell(_ run: Run, _ campaign: Int64) async throws -> Told {
        let claim = run.claim
        let campaignID = campaign == 0 ? nil : CampaignID(rawValue: campaign)
        let key = try await key(run, campaignID)
        var outcomes: [WebhookQueue.Outcome] = []
        var firstAt = ContinuousClock.now
        func store() async throws {
            try await queue.conclude(claim, campaign: campaign, outcomes)
            for outcome in outcomes where outcome.result.isDelivered && outcome.events > 0 {
                tally.delivered(outcome.events)
            }
            outcomes = []
        }
        let messages = try await queue.messages(claim, campaign: campaign)
        for message in messages {
            guard world.now() < run.end, !Task.isCancelled else { break }
            if outcomes.isEmpty { firstAt = .now }
            let outcome = await post(message, run, campaignID, key)
            // What was broken off by the end of the process says nothing of the endpoint.
            guard !Task.isCancelled || outcome.result.isDelivered else { break }
            outcomes.append(outcome)
            guard outcome.result.isDelivered else {
                try await fail(outcomes, run, campaign)
                return .failed
            }
            if ContinuousClock.now - firstAt > Self.storesEvery { try await store() }
        }
        try await store()
        return messages.reduce(0) { $0 + $1.rows.count } < WebhookQueue.rowsAtOnce ? .all : .some
    }

    /// Messages that a crash may repeat are those of so long.
    private static let storesEvery = Duration.milliseconds(200)

    /// Nil once the campaign was purged.
    private func key(_ run: Run, _ campaign: CampaignID?) async throws -> SealingKey? {
        guard let campaign else { return run.accountKey }
        do {
            return try await vault.campaignKey(run.claim.account, campaign)
        } catch let error as VaultError where error.code == .destroyed || error.code == .noKey {
            return nil
        }
    }

    private func post(
        _ message: WebhookMessage, _ run: Run, _ campaign: CampaignID?, _ key: SealingKey?
    ) async -> WebhookQueue.Outcome {
        let claim = run.claim
        let id = message.id(claim.account, claim.endpoint)
        let now = world.now()
        let items = message.items(claim.types, account: claim.account, campaign: campaign, key: key)
        guard let body = WebhookBody(items, campaign: campaign, isTest: claim.account.isTest) else {
            // Nothing that it wants.
            return .init(
                message: message, id: id, events: 0, result: .init(status: nil, error: nil), at: now, milliseconds: 0)
        }
        var result = WebhookSender.Result.refused(run.refusal ?? "")
        let start = ContinuousClock.now
        if let line = run.line {
            let seconds = now / 1_000_000
            let signatures = run.settings.secrets(at: seconds).map {
                $0.signature(id: id, timestamp: seconds, body: body.octets)
            }
            result = await sender.post(
                .init(id: id, timestamp: seconds, signatures: signatures, body: body.octets), on: line)
        }
        let duration = (ContinuousClock.now - start).components
        tally.posted(result.isDelivered)
        let next =
            result.isDelivered
            ? nil
            : WebhookRetry.next(
                afterFailures: message.attempts + 1, createdAt: message.createdAt, now: now, chance: world.chance())
        return .init(
            message: message, id: id, events: body.events, result: result, at: now,
            milliseconds: Int(duration.seconds) * 1_000 + Int(duration.attoseconds / 1_000_000_000_000_000),
            nextAt: next)
    }

    /// Writes down a failure, which the last outcome is, and what it means for the endpoint.
    private func fail(_ outcomes: [WebhookQueue.Outcome], _ run: Run, _ campaign: Int64) async throws {
        guard let last = outcomes.last else { return }
        for outcome in outcomes.dropLast() { tally.delivered(outcome.events) }
        var reason: String?
        if last.result.isGone {
            reason = "the endpoint answered 410 Gone"
        } else if last.nextAt == nil {
            // With some hours to spare: the first failure may have come later than the event.
            let since = last.at - (WebhookLimits.lifetimeSeconds - 21_600) * 1_000_000
            if try await queue.fails(run.claim, since: since) { reason = "no message was taken for three days" }
        }
        try await queue.conclude(run.claim, campaign: campaign, outcomes, disable: reason)
        if last.nextAt == nil, reason == nil { tally.dropped(last.events) }
        guard let reason else { return }
        tally.disabled()
        logger.notice(
            "webhook disabled",
            metadata: [
                "account": "\(run.claim.account)", "webhook": "\(run.claim.endpoint)", "reason": "\(reason)",
            ])
    }
}
