import Campaigns
import Logging
import MailTypes
import SMTPProtocol
import SMTPTransport
import Synchronization
import TLSPolicies
import TrafficShaping

/// One site reached from one source address: its waiting mails and the workers that carry them over its connections.
///
/// Workers come with the queue and go with it; accounts take turns, and within an account its campaigns. The governor
/// says how many workers there may be and when the next mail may go. Mail that would wait too long goes back to the
/// store with a time to come back, so that a slow site holds up neither its batches nor the memory of the node.
final class Lane: Sendable {
    /// The site and the provider whose rules it follows, for operators.
    let name: String
    /// The address that its connections leave from; `default` where the system picks it.
    let source: String

    fileprivate struct State {
        var queue = NestedFairQueue<AccountID, CampaignID, Job>()
        var governor: LaneGovernor
        var workers: [Int: Task<Void, Never>] = [:]
        var nextWorker = 0
        var isWakeUpSet = false
        var throughput = Throughput()
        var counts = LaneCounts()
        var order: LaneOrder?
        /// When the mail that was sent back to the store last is to come back.
        var overflowUntil: SteadySeconds = 0
        /// How often the way to connect has changed. What an older way led to says nothing about the present one.
        var way = 0
        var needsLogin: Bool
        /// Before the first login one connection is enough: a server that sees many logins fail may lock the account.
        var isLoggedIn: Bool
        /// Operators are told of a failing login once, until it works again.
        var toldOfLogin = false
        /// Nothing is taken any more.
        var isClosed = false
    }

    /// What a lane to a smarthost knows beyond other lanes.
    struct Smarthost: Sendable {
        /// Gives mails to other smarthosts; returns those that none takes at present.
        let handOver: @Sendable ([Job]) -> [Job]
    }

    private let state: Mutex<State>
    private let rules: Mutex<LaneRules>
    private let policy: GovernorPolicy
    private let pool: SMTPConnectionPool
    private let budget: ConnectionBudget
    private let fleet: FleetState
    /// Whether other nodes press the site as well, within the same limits.
    private let isShared: Bool
    /// Nil where the site is the recipients' own.
    private let smarthost: Smarthost?
    /// Nil where receivers are told nothing of their TLS.
    private let tlsResults: LaneTLSResults?
    private let sender: any MailSender
    private let logger: Logger

    init(
        name: String, source: String = "default", rules: LaneRules, policy: GovernorPolicy, pool: SMTPConnectionPool,
        budget: ConnectionBudget, fleet: FleetState, isShared: Bool, smarthost: Smarthost?, needsLogin: Bool,
        tlsResults: LaneTLSResults?, sender: any MailSender, logger: Logger
    ) {
        self.name = name
        self.source = source
        self.rules = Mutex(rules)
        self.policy = policy
        self.pool = pool
        self.budget = budget
        self.fleet = fleet
        self.isShared = isShared
        self.smarthost = smarthost
        self.tlsResults = tlsResults
        self.sender = sender
        self.logger = logger
        state = Mutex(
            State(
                governor: LaneGovernor(limits: rules.limits, policy: policy), needsLogin: needsLogin,
                isLoggedIn: !needsLogin))
    }

    deinit {
        let isEmpty = state.withLock(\.queue.isEmpty)
        precondition(isEmpty, "a lane went with mail in it, of which nobody would hear again")
    }

    // MARK: Rules

    var provider: Provider { rules.withLock(\.provider) }
    private var limits: LaneLimits { rules.withLock(\.limits) }

    /// Follows rules that were read anew.
    ///
    /// - Returns: whether they differ from those before.
    func follow(_ new: LaneRules) -> Bool {
        let differs = rules.withLock { rules in
            defer { rules = LaneRules(new, after: rules) }
            return rules.provider != new.provider || rules.limits != new.limits
        }
        guard differs else { return false }
        pool.setLimits(PoolLimits(new.limits, policy))
        let now = SteadyClock.now
        state.withLock { state in
            state.governor.setLimits(new.limits, at: now)
            startWorkers(&state, at: now)
        }
        return true
    }

    /// Connects to these targets and in this way from now on; mails under way end over the connections they have. A rest
    /// for want of a connection or a login gives way to a probe.
    func reconnect(to targets: [SMTPTarget], _ client: SMTPClientConfiguration, needsLogin: Bool) {
        // First, so that no answer of an old connection passes for one of a new one.
        pool.reconnect(to: targets, client, PoolLimits(limits, policy))
        let now = SteadyClock.now
        state.withLock { state in
            state.way += 1
            state.needsLogin = needsLogin
            state.isLoggedIn = !needsLogin
            state.toldOfLogin = false
            state.governor.reconnects(at: now)
            startWorkers(&state, at: now)
        }
    }

    /// New connections lead to these targets: the hosts are the same, and the DNS gives them other addresses. What is
    /// known of the site stays, a rest included, and so do good connections.
    func setTargets(_ targets: [SMTPTarget]) { pool.setTargets(targets) }

    private func isPresent(_ way: Int) -> Bool { state.withLock { $0.way == way } }

    // MARK: Queue

    func enqueue(_ jobs: [Job]) {
        let now = SteadyClock.now
        let limits = limits
        let (back, isFailing) = state.withLock { state -> ([GivenBack], Bool) in
            if state.isClosed { return (jobs.map { GivenBack(job: $0, inSeconds: 0, awaitsResume: false) }, false) }
            guard state.order?.action != .fail else { return ([], true) }
            var back: [GivenBack] = []
            let opensAt = state.opensAt(now)
            share(jobs, &state)
            for job in jobs {
                if !waitsForItsAccount(job) || state.order?.action == .drain || opensAt > now + limits.queueSeconds,
                    let seconds = state.overflowSeconds(limits, opensAt: opensAt, at: now)
                {
                    back.append(GivenBack(job: job, inSeconds: seconds, awaitsResume: opensAt > now))
                } else {
                    state.queue.append(job, for: job.run.batch.id.account, in: job.run.batch.id.campaign)
                }
            }
            startWorkers(&state, at: now)
            return (back, false)
        }
        if isFailing { for job in jobs { sender.giveUp(job) } }
        turnAway(back)
    }

    /// A mail that the lane cannot take or keep.
    private struct GivenBack {
        let job: Job
        let inSeconds: Double
        /// The lane stands still: a resume brings the mail back at once.
        let awaitsResume: Bool
    }

    /// It goes to another smarthost, else back to the store.
    private func turnAway(_ mails: [GivenBack]) {
        guard let first = mails.first else { return }
        var seconds = mails.map(\.inSeconds)[...]
        let left = smarthost?.handOver(mails.map(\.job)) ?? mails.map(\.job)
        for job in left {
            sender.postpone(job, inSeconds: seconds.popFirst() ?? 0, awaitsResume: first.awaitsResume)
        }
    }

    /// Mail of an account with a rate is claimed at that rate, so what waits here waits for its own turn and not for the
    /// site: sent back, it would only come later than the rate allows.
    private func waitsForItsAccount(_ job: Job) -> Bool { fleet.shaping(of: job.run.batch.id.account)?.rate != nil }

    private func hasWaitedTooLong(_ job: Job, _ limits: LaneLimits) -> Bool {
        job.hasWaited(limits.queueSeconds) && !waitsForItsAccount(job)
    }

    /// Applies what the operator has set for the accounts of these mails.
    private func share(_ jobs: [Job], _ state: inout State) {
        var seen: AccountID?
        for job in jobs where job.run.batch.id.account != seen {
            let account = job.run.batch.id.account
            seen = account
            guard let shaping = fleet.shaping(of: account) else { continue }
            state.queue.setWeight(shaping.weight, for: account)
            state.queue.setRate(
                shaping.rate.map { MessageRate(max(1, Int($0 / Double(fleet.nodes) * 3_600)), per: .hour) },
                for: account)
        }
    }

    /// The connections that this node may have now, of those that the site allows the whole fleet.
    private func connectionsWanted(forQueued queued: Int, _ state: inout State, at now: SteadySeconds) -> Int {
        let connections = state.governor.connectionsWanted(forQueued: queued, at: now)
        guard state.isLoggedIn else { return min(1, connections) }
        return !isShared || connections == 0 ? connections : max(1, connections / fleet.nodes)
    }

    /// Hands over what waits for a smarthost that rests, and sends back what has waited for too long, or would wait for a
    /// suspended site. Called from time to time.
    func shed() {
        handOverWaiting()
        let now = SteadyClock.now
        let limits = limits
        let back = state.withLock { state -> [GivenBack] in
            let opensAt = state.governor.opensAt(now)
            let isSuspended = opensAt > now + limits.queueSeconds
            func mustGo(_ job: Job) -> Bool {
                isSuspended || hasWaitedTooLong(job, limits) || !job.run.mayStart
            }
            // Taking all out and putting them back costs much more than a look, and is seldom needed.
            guard state.queue.contains(where: mustGo) else {
                if !state.queue.isEmpty { startWorkers(&state, at: now) }
                return []
            }
            var back: [GivenBack] = []
            var kept: [Job] = []
            while let job = state.queue.popFirst() {
                if mustGo(job) {
                    back.append(
                        GivenBack(
                            job: job, inSeconds: state.comeBackSeconds(limits, opensAt: opensAt, at: now),
                            awaitsResume: opensAt > now))
                } else {
                    kept.append(job)
                }
            }
            for job in kept { state.queue.append(job, for: job.run.batch.id.account, in: job.run.batch.id.campaign) }
            startWorkers(&state, at: now)
            return back
        }
        turnAway(back)
    }

    /// Other smarthosts take over what waits for one that is suspended, held or only tried by a probe. What none of them
    /// takes goes on waiting here.
    private func handOverWaiting() {
        guard let smarthost else { return }
        let now = SteadyClock.now
        let waiting = state.withLock { state -> [Job] in
            // A lane that drains sends what it has.
            if state.order?.action == .drain { return [] }
            if case .open = state.readiness(at: now) { return [] }
            var waiting: [Job] = []
            // The probe needs a mail.
            let isProbing = state.governor.isProbing(at: now) && state.workers.isEmpty
            while state.queue.count > (isProbing ? 1 : 0), let job = state.queue.popFirst() { waiting.append(job) }
            return waiting
        }
        guard !waiting.isEmpty else { return }
        putBack(smarthost.handOver(waiting))
    }

    /// Mail that waits on in this lane.
    private func putBack(_ jobs: [Job]) {
        guard !jobs.isEmpty else { return }
        let now = SteadyClock.now
        let isClosed = state.withLock { state in
            guard !state.isClosed else { return true }
            for job in jobs { state.queue.append(job, for: job.run.batch.id.account, in: job.run.batch.id.campaign) }
            startWorkers(&state, at: now)
            return false
        }
        if isClosed { giveBack(jobs) }
    }

    /// Whether a smarthost may be given mail.
    enum Readiness: Equatable {
        case open
        /// One mail, to find out.
        case wantsProbe
        /// - Parameter until: when to look again, at the latest.
        case rests(until: SteadySeconds)
    }

    func readiness(at now: SteadySeconds) -> Readiness { state.withLock { $0.readiness(at: now) } }

    /// When a suspension ends, nil where there is none.
    func restsUntil(_ now: SteadySeconds) -> SteadySeconds? {
        let opensAt = state.withLock { $0.governor.opensAt(now) }
        return opensAt > now ? opensAt : nil
    }

    var isIdle: Bool { state.withLock { $0.queue.isEmpty && $0.workers.isEmpty } }

    /// Cuts off the mails under way, gives back what waits and closes all connections.
    func shutdown() async {
        let (workers, waiting) = state.withLock { state in
            state.isClosed = true
            return (Array(state.workers.values), state.takeAll())
        }
        for worker in workers { worker.cancel() }
        giveBack(waiting)
        await pool.shutdown()
    }

    /// Mail that the lane no longer sends.
    private func giveBack(_ jobs: [Job]) {
        for job in jobs { sender.postpone(job, inSeconds: 0, awaitsResume: false) }
    }

    // MARK: Workers

    private func startWorkers(_ state: inout State, at now: SteadySeconds) {
        let wanted = connectionsWanted(forQueued: state.queue.count, &state, at: now)
        let queued = state.queue.count
        var started = 0
        while state.workers.count < wanted, started < queued {
            let worker = state.nextWorker
            state.nextWorker += 1
            started += 1
            state.workers[worker] = Task { await work(worker) }
        }
        if state.workers.isEmpty && queued > 0 { wake(in: Self.retrySeconds, &state) }
    }

    /// Looks again after a while; one wake-up at a time is set.
    private func wake(in seconds: Double, _ state: inout State) {
        guard !state.isWakeUpSet else { return }
        state.isWakeUpSet = true
        Task { [weak self] in
            try? await Task.sleep(for: .seconds(min(max(seconds, 0.001), Self.retrySeconds)))
            guard let self else { return }
            let now = SteadyClock.now
            self.state.withLock { state in
                state.isWakeUpSet = false
                if !state.queue.isEmpty { self.startWorkers(&state, at: now) }
            }
        }
    }

    /// The most seconds until a lane with waiting mail is looked at again.
    private static let retrySeconds = 1.0

    /// How soon a lane that ran out of the site's tokens looks again.
    private static let tokenSeconds = 0.05
    private static let longQueue = 1_000_000

    private enum Next {
        case job(Job)
        /// Too many workers, or no mail that may go now.
        case retire
    }

    /// Takes the next mail with its permit, or says to retire in the same step, so that no mail is left without a
    /// worker or a wake-up.
    private func next(_ worker: Int, retiring: Bool) -> Next {
        let now = SteadyClock.now
        let siteRate = rules.withLock(\.siteRate)
        return state.withLock { state in
            func retire() -> Next {
                if retiring { state.workers[worker] = nil }
                return .retire
            }
            while !state.queue.isEmpty {
                // What the site takes at present; a short queue alone sends nobody away.
                let limit = connectionsWanted(forQueued: Self.longQueue, &state, at: now)
                guard state.workers.count <= limit else {
                    if state.workers.count == 1 { wake(in: Self.retrySeconds, &state) }
                    return retire()
                }
                if let siteRate, !siteRate.take(forQueued: state.queue.count, at: now) {
                    wake(in: Self.tokenSeconds, &state)
                    return retire()
                }
                if case .at(let due) = state.governor.permit(at: now) {
                    wake(in: due - now, &state)
                    return retire()
                }
                guard let job = state.queue.popFirst(at: now) else {
                    state.governor.permitUnused(at: now)
                    // Accounts keep to their rates, which says nothing about the pace of the site.
                    state.throughput.rest()
                    wake(in: (state.queue.nextDue ?? now) - now, &state)
                    return retire()
                }
                return .job(job)
            }
            // A lane that ran out of mail says nothing about the pace of its site.
            state.throughput.rest()
            return retire()
        }
    }

    @concurrent private func work(_ worker: Int) async {
        // Without a connection to be had the mail stays in the queue, for the workers that have one.
        guard budget.take() else { return retire(worker) }
        defer { budget.giveBack() }
        while case .job(let job) = next(worker, retiring: true) {
            guard !settlesWithoutConnection(job) else { continue }
            await carry(job, worker)
        }
    }

    private func retire(_ worker: Int) {
        state.withLock { state in
            state.workers[worker] = nil
            if state.workers.isEmpty && !state.queue.isEmpty { wake(in: Self.retrySeconds, &state) }
        }
    }

    private func settlesWithoutConnection(_ job: Job) -> Bool {
        guard sender.settlesWithoutConnection(job, waited: hasWaitedTooLong(job, limits)) else {
            job.run.start(job.position)
            return false
        }
        permitUnused()
        return true
    }

    /// Sends `first` and then what waits, as long as the connection is good.
    private func carry(_ first: Job, _ worker: Int) async {
        let holder = JobHolder(first)
        let way = state.withLock(\.way)
        do throws(SMTPConnectFailure) {
            try await pool.withConnection { connection in
                loggedIn(way)
                while let job = holder.take() {
                    tlsResults?.count(job, over: connection)
                    switch await sender.send(
                        job, over: connection, provider: provider, isSmarthost: smarthost != nil)
                    {
                    case .notLoggedIn(let answer):
                        giveUpHere(job, answer, way)
                    case .stale:
                        var again = job
                        again.wasRetried = true
                        holder.put(again)
                        return
                    case .answered(let answer):
                        job.warmUp?.use()
                        learn(answer)
                    case .unused: permitUnused()
                    }
                    // What goes back to the pool worn, or made in an older way, is closed there.
                    guard connection.isUsable, isPresent(way),
                        connection.deliveredCount < limits.messagesPerConnection
                    else { return }
                    holder.put(takeNext(worker))
                }
            }
        } catch {
            if let job = holder.take() { failed(job, error, way) }
        }
        if let job = holder.take() { await carry(job, worker) }
    }

    private func loggedIn(_ way: Int) {
        let now = SteadyClock.now
        state.withLock { state in
            guard !state.isLoggedIn, state.way == way else { return }
            state.isLoggedIn = true
            startWorkers(&state, at: now)
        }
    }

    /// No connection came about for the mail.
    private func failed(_ job: Job, _ failure: SMTPConnectFailure, _ way: Int) {
        tlsResults?.count(job, over: nil)
        let answer = failure.report.answer(Refusal(failure.report, provider)?.ofRelay)
        guard let smarthost, job.run.mayStart, !answer.isOurDoing else {
            return learn(sender.fail(job, failure: failure, provider: provider))
        }
        if case .notLoggedIn = answer { return giveUpHere(job, answer, way) }
        guard isPresent(way) else { return tryAnew(job) }
        learn(answer)
        for job in smarthost.handOver([job]) { _ = sender.fail(job, failure: failure, provider: provider) }
    }

    /// The smarthost does not let us log in, which is not the mail's fault: another takes it, or it waits untried.
    private func giveUpHere(_ job: Job, _ answer: LaneAnswer, _ way: Int) {
        guard isPresent(way) else { return tryAnew(job) }
        learn(answer)
        putBack(smarthost?.handOver([job]) ?? [job])
    }

    /// The way to connect has changed since: the mail takes the new one.
    private func tryAnew(_ job: Job) {
        permitUnused()
        putBack([job])
    }

    /// The next mail that needs a connection, without retiring.
    private func takeNext(_ worker: Int) -> Job? {
        while case .job(let job) = next(worker, retiring: false) {
            if !settlesWithoutConnection(job) { return job }
        }
        return nil
    }

    // MARK: Learning

    private func learn(_ answer: LaneAnswer) {
        let now = SteadyClock.now
        let loginProblem = state.withLock { state -> String? in
            state.counts.count(answer, at: now)
            switch answer {
            case .accepted:
                state.governor.accepted(at: now)
                state.toldOfLogin = false
                state.throughput.count(at: now)
            case .refused(let action, let code, let enhanced):
                state.governor.refused(action, code: code, enhanced: enhanced, at: now)
                state.throughput.count(at: now)
            case .broken: state.governor.connectFailed(at: now)
            case .stopped: state.governor.permitUnused(at: now)
            case .notLoggedIn(let problem):
                state.governor.loginFailed(problem, at: now)
                state.isLoggedIn = !state.needsLogin
                defer { state.toldOfLogin = true }
                return state.toldOfLogin ? nil : problem
            }
            return nil
        }
        if let loginProblem {
            logger.error(
                "login at the smarthost failed: its mail waits or goes by others",
                metadata: ["lane": "\(name)", "problem": "\(loginProblem)"])
        }
    }

    private func permitUnused() {
        let now = SteadyClock.now
        state.withLock { $0.governor.permitUnused(at: now) }
    }

    // MARK: Operators

    /// Does as the operator has ordered; nil ends the order and leaves what the lane has brought on itself.
    ///
    /// Held, no mail starts, and what waits goes back to the store if that is for long. Draining, what waits is sent, and
    /// what comes goes back. Failing, what waits and what comes ends as bounced.
    ///
    /// - Returns: how many waiting mails were ended.
    func obey(_ order: LaneOrder?) -> Int {
        let now = SteadyClock.now
        let ended = state.withLock { state -> [Job]? in
            guard order != nil || state.order != nil, order?.isSame(as: state.order) != true else { return nil }
            state.order = order
            let ended = order?.action == .fail ? state.takeAll() : []
            if let order, order.action == .suspend {
                state.governor.hold(until: order.until, reason: order.reason)
            } else {
                state.governor.release()
            }
            startWorkers(&state, at: now)
            return ended
        }
        guard let ended else { return 0 }
        for job in ended { sender.giveUp(job) }
        shed()
        return ended.count
    }

    /// Ends suspensions that the lane has brought on itself.
    func resume() {
        pool.forgetFailure()
        let now = SteadyClock.now
        state.withLock { state in
            let held = state.order?.action == .suspend
            if !held { state.governor.resume(at: now) }
            startWorkers(&state, at: now)
        }
    }

    /// Ends the wait of everything queued: it goes back to the store.
    func empty() {
        for job in state.withLock({ $0.takeAll() }) {
            sender.postpone(job, inSeconds: Self.emptiedSeconds, awaitsResume: false)
        }
    }

    private static let emptiedSeconds = 60.0

    var snapshot: LaneSnapshot {
        let now = SteadyClock.now
        let provider = provider
        return state.withLock { state in
            LaneSnapshot(
                name: name, provider: provider.name, source: source, standing: state.governor.standing(at: now),
                at: now,
                queued: state.queue.count, workers: state.workers.count, connections: pool.connectionCount,
                perSecond: state.throughput.perSecond(at: now), answered: state.throughput.total, counts: state.counts,
                order: state.order)
        }
    }
}

extension Lane.State {
    fileprivate func readiness(at now: SteadySeconds) -> Lane.Readiness {
        if order != nil { return .rests(until: opensAt(now)) }
        return switch governor.standing(at: now).condition {
        case .open, .slowed: .open
        case .probing: queue.isEmpty && workers.isEmpty ? .wantsProbe : .rests(until: now)
        case .suspended, .held: .rests(until: governor.opensAt(now))
        }
    }

    /// When a mail that comes now would wait too long: the seconds after which it should come again. Nil where it may
    /// wait here.
    fileprivate mutating func overflowSeconds(
        _ limits: LaneLimits, opensAt: SteadySeconds, at now: SteadySeconds
    ) -> Double? {
        if opensAt > now + limits.queueSeconds || order?.action == .drain {
            return comeBackSeconds(limits, opensAt: opensAt, at: now)
        }
        // Too little is known of a young lane to turn mail away.
        guard queue.count >= Self.leastQueue, let pace = throughput.established(at: now) else { return nil }
        guard Double(queue.count) / pace > limits.queueSeconds else { return nil }
        return comeBackSeconds(limits, opensAt: opensAt, at: now)
    }

    /// Spreads what comes back over the time that the site will need for it.
    fileprivate mutating func comeBackSeconds(
        _ limits: LaneLimits, opensAt: SteadySeconds, at now: SteadySeconds
    ) -> Double {
        let pace = max(throughput.perSecond(at: now), Self.leastPace)
        let start = max(now + limits.queueSeconds, opensAt)
        overflowUntil = max(overflowUntil, start) + 1 / pace
        return min(overflowUntil - now, Self.mostSeconds + max(0, opensAt - now))
    }

    fileprivate mutating func takeAll() -> [Job] {
        var jobs: [Job] = []
        while let job = queue.popFirst() { jobs.append(job) }
        return jobs
    }

    /// When a mail that comes now may be sent.
    fileprivate func opensAt(_ now: SteadySeconds) -> SteadySeconds {
        if let order, order.action == .drain { return order.until ?? now + LaneGovernor.heldSeconds }
        return governor.opensAt(now)
    }

    private static var leastQueue: Int { 256 }
    /// Mails a second that any site is trusted to take, for estimates only.
    private static var leastPace: Double { 1 }
    private static var mostSeconds: Double { 900 }
}

extension LaneGovernor {
    fileprivate func isProbing(at now: SteadySeconds) -> Bool {
        if case .probing = standing(at: now).condition { true } else { false }
    }

    /// When the lane may send again; now where it may.
    fileprivate func opensAt(_ now: SteadySeconds) -> SteadySeconds {
        switch standing(at: now).condition {
        case .open, .slowed, .probing: now
        case .suspended(let until, _): until
        case .held(let until, _): until ?? now + Self.heldSeconds
        }
    }

    /// Without an end: looked at again before long, in case it is over.
    fileprivate static var heldSeconds: Double { 300 }
}

/// Hands one job into and out of a closure.
private final class JobHolder: Sendable {
    private let job: Mutex<Job?>
    init(_ job: Job) { self.job = Mutex(job) }
    func take() -> Job? {
        job.withLock { job in
            defer { job = nil }
            return job
        }
    }
    func put(_ next: Job?) { job.withLock { $0 = next } }
}
