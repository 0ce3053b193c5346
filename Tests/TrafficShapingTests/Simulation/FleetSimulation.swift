import TrafficShaping

/// Nodes that send to sites whose limits they do not know, in simulated time; the same seed gives the same run.
///
/// Every node has a lane to each site that it has mail for: a nested queue and a governor. A mail takes ``latency``
/// seconds on a connection. A receiver accepts what its own bucket allows and answers the rest with a throttle.
struct FleetSimulation {
    struct Mail: Sendable {
        let account: Int
        let campaign: Int
        /// Mails the lane had let out when this one came; nil in a campaign that never ends.
        var lettingsOut: Int?
    }

    /// What a site bears, which no lane is told.
    enum HiddenLimit: Sendable {
        /// Evenly so many mails a second.
        case perSecond(Double)
        /// So many in each minute of the clock, then none.
        case perMinute(Int)
        /// So many connections at once.
        case connections(Int)
    }

    struct Site {
        let limit: HiddenLimit
        private var bucket = TokenBucket(rate: 1)
        private var minute = -1
        private var acceptedInMinute = 0
        /// Mails under way to it.
        var connections = 0
        var accepted = 0
        var throttled = 0
        /// Accepted and throttled in the time that counts.
        var acceptedSteadily = 0
        var throttledSteadily = 0

        init(_ limit: HiddenLimit) {
            self.limit = limit
            if case .perSecond(let rate) = limit { bucket = TokenBucket(rate: rate) }
        }

        mutating func accepts(at now: Double) -> Bool {
            switch limit {
            case .perSecond: return bucket.take(at: now) == nil
            case .connections(let most): return connections < most
            case .perMinute(let most):
                if Int(now / 60) != minute { (minute, acceptedInMinute) = (Int(now / 60), 0) }
                acceptedInMinute += 1
                return acceptedInMinute <= most
            }
        }
    }

    struct Lane {
        let site: Int
        var governor: LaneGovernor
        var queue = NestedFairQueue<Int, Int, Mail>()
        /// Mails of accounts whose campaigns go on are replaced when they leave.
        var isEndless: Bool
        var connections = 0
        var lettingsOut = 0
        var isAwake = false
    }

    private enum Event {
        case wake(lane: Int)
        case answer(lane: Int, mail: Mail)
        case add(lane: Int, mail: Mail)
    }

    let latency = 0.2
    /// Seconds a calendar page covers.
    private let page = 0.1
    let seconds: Double
    /// From here on sites count as steady.
    let steadyFrom: Double
    var sites: [Site]
    var lanes: [Lane] = []
    private var calendar: [[Event]]
    /// The most mails let out before a mail of a small campaign, in accounts × campaigns of its lane.
    private(set) var waits: [Int] = []
    private(set) var events = 0

    init(seconds: Double, steadyFrom: Double, limits: [HiddenLimit]) {
        self.seconds = seconds
        self.steadyFrom = steadyFrom
        sites = limits.map(Site.init)
        calendar = Array(repeating: [], count: Int(seconds / page) + 2)
    }

    mutating func addLane(to site: Int, limits: LaneLimits = LaneLimits(), isEndless: Bool) -> Int {
        lanes.append(Lane(site: site, governor: LaneGovernor(limits: limits), isEndless: isEndless))
        return lanes.count - 1
    }

    mutating func add(_ mail: Mail, to lane: Int, at time: Double) {
        schedule(.add(lane: lane, mail: mail), at: time)
    }

    mutating func run() {
        for number in calendar.indices {
            let now = Double(number) * page
            var next = 0
            // Events of this page may add others to it.
            while next < calendar[number].count {
                handle(calendar[number][next], at: now)
                next += 1
            }
            events += next
            calendar[number] = []
        }
    }

    private mutating func schedule(_ event: Event, at time: Double) {
        let number = Int((time / page - 1e-6).rounded(.up))
        if number < calendar.count { calendar[number].append(event) }
    }

    private mutating func handle(_ event: Event, at now: Double) {
        switch event {
        case .wake(let lane):
            lanes[lane].isAwake = false
            press(lane, at: now)
        case .answer(let lane, let mail):
            answer(mail, of: lane, at: now)
            press(lane, at: now)
        case .add(let lane, var mail):
            if mail.lettingsOut != nil { mail.lettingsOut = lanes[lane].lettingsOut }
            lanes[lane].queue.append(mail, for: mail.account, in: mail.campaign)
            press(lane, at: now)
        }
    }

    /// Sends as much as the governor lets through.
    private mutating func press(_ lane: Int, at now: Double) {
        let wanted = lanes[lane].governor.connectionsWanted(forQueued: lanes[lane].queue.count, at: now)
        while lanes[lane].connections < max(wanted, lanes[lane].queue.isEmpty ? 0 : 1) {
            if case .at(let due) = lanes[lane].governor.permit(at: now) {
                if !lanes[lane].isAwake {
                    lanes[lane].isAwake = true
                    schedule(.wake(lane: lane), at: max(due, now + page))
                }
                return
            }
            guard let mail = lanes[lane].queue.popFirst() else {
                lanes[lane].governor.permitUnused(at: now)
                return
            }
            lanes[lane].lettingsOut += 1
            if let came = mail.lettingsOut { waits.append(lanes[lane].lettingsOut - came) }
            lanes[lane].connections += 1
            sites[lanes[lane].site].connections += 1
            schedule(.answer(lane: lane, mail: mail), at: now + latency)
        }
    }

    private mutating func answer(_ mail: Mail, of lane: Int, at now: Double) {
        lanes[lane].connections -= 1
        let site = lanes[lane].site
        sites[site].connections -= 1
        let isSteady = now >= steadyFrom
        if sites[site].accepts(at: now) {
            sites[site].accepted += 1
            if isSteady { sites[site].acceptedSteadily += 1 }
            lanes[lane].governor.accepted(at: now)
            if lanes[lane].isEndless && mail.lettingsOut == nil {
                lanes[lane].queue.append(mail, for: mail.account, in: mail.campaign)
            }
        } else {
            sites[site].throttled += 1
            if isSteady { sites[site].throttledSteadily += 1 }
            lanes[lane].governor.refused(.slowDown, code: 421, enhanced: nil, at: now)
            var again = mail
            if again.lettingsOut != nil { again.lettingsOut = 0 }
            schedule(.add(lane: lane, mail: again), at: now + 30)
        }
    }
}
