import Delivery
import MailSigning

/// A node's status and when it was read.
struct TopSample: Sendable {
    let status: EngineStatus
    let at: ContinuousClock.Instant

    init(_ status: EngineStatus, at: ContinuousClock.Instant = .now) {
        self.status = status
        self.at = at
    }
}

/// The picture of `sluice top`: what is shown, and how it is laid out in lines. No I/O.
struct TopScreen: Sendable {
    enum Order: String, CaseIterable {
        case rate, queued, deferred, name
    }

    /// Why there is nothing newer.
    var trouble: String?
    private(set) var order = Order.rate
    private var latest: TopSample?
    private var previous: TopSample?
    private var offset = 0

    mutating func take(_ sample: TopSample) {
        trouble = nil
        previous = latest
        latest = sample
    }

    mutating func sortByNext() {
        let all = Order.allCases
        order = all[(all.firstIndex(of: order)! + 1) % all.count]
    }

    mutating func scroll(by lines: Int) {
        offset = max(0, min(offset + lines, (latest?.status.lanes.count ?? 1) - 1))
    }

    // MARK: Layout

    /// - Parameter styled: with colours and bold type for a terminal.
    func lines(width: Int, height: Int, styled: Bool) -> [String] {
        guard let latest else { return [] }
        let style = TextStyle(isOn: styled)
        var head = self.head(latest, style)
        head += blockLines(latest.status.blocks, style)
        if let trouble { head.append(style.red(trouble)) }
        let accounts = accountLines(latest, most: height == .max ? .max : max(3, height / 4), style)
        let room = height == .max ? Int.max : max(1, height - head.count - accounts.count - 6)
        let footer = styled ? ["", style.dim("q quit   s sort (\(order.rawValue))   ↑↓ scroll")] : []
        let lines = head + [""] + laneLines(latest.status.lanes, most: room, style) + [""] + accounts + footer
        return lines.map { style.cut($0, to: width) }
    }

    private func head(_ sample: TopSample, _ style: TextStyle) -> [String] {
        let status = sample.status
        let counts = status.counts
        let state = status.isDraining ? style.yellow("draining") : "up \(span(status.uptimeSeconds))"
        let accepted = counts.acceptedPlain + counts.acceptedEncrypted + counts.acceptedVerified
        let encrypted = counts.acceptedEncrypted + counts.acceptedVerified
        let commits = counts.journal.count
        let latency = commits > 0 ? counts.journal.seconds / Double(commits) * 1_000 : 0
        var failures = ""
        if counts.journalFailures > 0 { failures = style.red("   \(grouped(counts.journalFailures)) failed") }
        return [
            style.bold("sluice") + "  node \(status.node)  \(state)",
            "messages " + style.bold(rate(sample, \.counts.delivered)) + " delivered/s   "
                + "\(grouped(counts.delivered)) delivered   \(grouped(counts.deferred)) deferred   "
                + "\(grouped(counts.bounced)) bounced   \(grouped(counts.inDoubt + counts.inDoubtResent)) in doubt",
            "work     \(grouped(status.activeBatches)) batches   \(grouped(status.waitingMessages)) messages waiting   "
                + "\(grouped(status.connections)) of \(grouped(status.connectionLimit)) connections   "
                + "TLS \(accepted > 0 ? "\(encrypted * 100 / accepted) %" : "–")",
            "journal  \(rate(sample, \.counts.journal.count)) commits/s   \(rate(sample, \.counts.journalEntries)) entries/s   "
                + "\(tenths(latency)) ms a commit" + failures,
            "signing  " + signing(status.signing, style),
        ]
    }

    private func signing(_ status: SigningStatus, _ style: TextStyle) -> String {
        let counts = status.counts
        guard counts.mismatches == 0 else {
            return style.red("\(grouped(counts.mismatches)) did not fit") + "   one by one: \(status.detail)"
        }
        guard status.isBatch else { return "one by one: \(status.detail)" }
        let mean = counts.meanLanes.map(tenths) ?? "–"
        return "\(mean) of \(counts.passes.count) lanes filled   "
            + "\(grouped(counts.signaturesInPasses)) in passes   \(grouped(counts.alone)) one by one"
    }

    /// Campaigns that receivers refuse at present.
    private func blockLines(_ blocks: [CampaignBlockReport], _ style: TextStyle) -> [String] {
        var lines = blocks.prefix(Self.mostBlocks).map { block in
            style.red(
                "blocked  campaign \(block.campaign) of account \(block.account): \(grouped(block.count)) refused, "
                    + "last \(span(block.secondsAgo)) ago: \(block.reply)")
        }
        if blocks.count > Self.mostBlocks {
            lines.append(style.dim("… and \(grouped(blocks.count - Self.mostBlocks)) more campaigns"))
        }
        return lines
    }

    private static let mostBlocks = 3

    private func rate(_ sample: TopSample, _ counter: (EngineStatus) -> Int) -> String {
        guard let previous else { return "0" }
        let seconds = seconds(from: previous, to: sample)
        return grouped(Int((Double(max(0, counter(sample.status) - counter(previous.status))) / seconds).rounded()))
    }

    private func seconds(from previous: TopSample, to sample: TopSample) -> Double {
        max(0.001, (sample.at - previous.at) / .seconds(1))
    }

    // MARK: Lanes

    private func laneLines(_ lanes: [LaneReport], most: Int, _ style: TextStyle) -> [String] {
        guard !lanes.isEmpty else { return [style.dim("no lanes: no mail is under way")] }
        let sorted = lanes.sorted { a, b in
            switch order {
            case .rate: (b.perSecond, a.name) < (a.perSecond, b.name)
            case .queued: (b.queued, a.name) < (a.queued, b.name)
            case .deferred: (b.deferred, a.name) < (a.deferred, b.name)
            case .name: a.name < b.name
            }
        }
        var shown = Array(sorted.dropFirst(min(offset, max(0, sorted.count - 1))))
        let hidden = max(0, shown.count - most)
        shown = Array(shown.prefix(most))
        var lines = Self.laneTable(shown).text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        lines[0] = style.bold(lines[0])
        for (index, lane) in shown.enumerated() {
            switch lane.state {
            case "backing_off", "suspended", "draining", "failing": lines[index + 1] = style.red(lines[index + 1])
            case "slowed", "probing": lines[index + 1] = style.yellow(lines[index + 1])
            default: break
            }
        }
        if hidden > 0 { lines.append(style.dim("… and \(grouped(hidden)) more lanes")) }
        return lines
    }

    static func laneTable(_ lanes: [LaneReport]) -> TextTable {
        var table = TextTable(
            header: [
                "LANE", "STATE", "MSGS/S", "WAITING", "CONN", "ACCEPTED", "DEFERRED", "BOUNCED", "BROKEN", "WHY",
            ],
            rightAligned: [2, 3, 4, 5, 6, 7, 8])
        for lane in lanes {
            table.add(
                shortened(lane), lane.state, tenths(lane.perSecond), grouped(lane.queued),
                "\(lane.connections)/\(lane.connectionLimit)", grouped(lane.accepted), grouped(lane.deferred),
                grouped(lane.bounced), grouped(lane.broken), why(lane))
        }
        return table
    }

    /// A site may have many mail hosts: the first tells enough.
    private static func shortened(_ lane: LaneReport) -> String {
        let name = lane.site == lane.provider ? lane.site : lane.name
        let hosts = name.split(separator: ",")
        let first = hosts.first.map(String.init) ?? name
        let text = hosts.count > 1 ? first + " +\(hosts.count - 1)" : first
        return text.count > 48 ? text.prefix(47) + "…" : text
    }

    private static func why(_ lane: LaneReport) -> String {
        var parts: [String] = []
        if let reason = lane.reason { parts.append(reason) }
        if let seconds = lane.endsInSeconds { parts.append("for \(span(seconds.rounded(.up)))") }
        if let limit = lane.rateLimit { parts.append("limit \(tenths(limit))/s") }
        if let refusal = lane.lastRefusal {
            let enhanced = refusal.enhanced.map { " \($0)" } ?? ""
            parts.append("last \(refusal.code)\(enhanced) \(span(refusal.secondsAgo)) ago")
        }
        return parts.joined(separator: ", ")
    }

    // MARK: Accounts

    private func accountLines(_ sample: TopSample, most: Int, _ style: TextStyle) -> [String] {
        let accounts = sample.status.accounts.sorted { ($1.waiting, $0.account) < ($0.waiting, $1.account) }
        guard !accounts.isEmpty else { return [style.dim("no account has mail here")] }
        var table = TextTable(
            header: ["ACCOUNT", "STATE", "DELIVERED/S", "WAITING", "BATCHES", "DELIVERED", "DEFERRED", "FAILED"],
            rightAligned: [0, 2, 3, 4, 5, 6, 7])
        let before = Dictionary(
            uniqueKeysWithValues: (previous?.status.accounts ?? []).map { ($0.account, $0.counts.delivered) })
        let seconds = previous.map { self.seconds(from: $0, to: sample) } ?? 1
        for account in accounts.prefix(most) {
            let gain = before[account.account].map { max(0, account.counts.delivered - $0) } ?? 0
            table.add(
                "\(account.account)", account.isStopped ? "stopped" : "active",
                grouped(Int((Double(gain) / seconds).rounded())), grouped(account.waiting), grouped(account.batches),
                grouped(account.counts.delivered), grouped(account.counts.deferred), grouped(account.counts.failed))
        }
        var lines = table.text.split(separator: "\n").map(String.init)
        lines[0] = style.bold(lines[0])
        if accounts.count > most { lines.append(style.dim("… and \(grouped(accounts.count - most)) more accounts")) }
        return lines
    }
}

/// 3.14159 as `3.1`.
func tenths(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(grouped(tenths / 10)).\(tenths % 10)"
}

/// Type styles of a terminal (ECMA-48 SGR).
struct TextStyle {
    let isOn: Bool

    func bold(_ text: String) -> String { styled(text, 1) }
    func dim(_ text: String) -> String { styled(text, 2) }
    func red(_ text: String) -> String { styled(text, 31) }
    func yellow(_ text: String) -> String { styled(text, 33) }

    private func styled(_ text: String, _ code: Int) -> String {
        isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    /// The line's first `width` columns; style codes take none.
    func cut(_ text: String, to width: Int) -> String {
        var result = ""
        var columns = 0
        var isCode = false
        for character in text {
            if character == "\u{1B}" { isCode = true }
            if isCode {
                result.append(character)
                if character == "m" { isCode = false }
            } else if columns < width {
                result.append(character)
                columns += 1
            }
        }
        return result
    }
}
