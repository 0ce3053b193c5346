import MailSigning
import Testing

@testable import Application
@testable import Delivery

extension EngineStatus {
    static func sample(
        lanes: [LaneReport] = [], accounts: [AccountReport] = [], delivered: Int = 12,
        blocks: [CampaignBlockReport] = [],
        signing: SigningStatus = SigningStatus(isBatch: false, detail: "none", fewestLanes: 3, counts: SigningCounts())
    ) -> EngineStatus {
        var counts = DeliveryCounts()
        counts.delivered = delivered
        counts.acceptedPlain = 3
        counts.acceptedEncrypted = 9
        return EngineStatus(
            node: "n1", uptimeSeconds: 300, isDraining: false, counts: counts,
            signing: signing, activeBatches: 2, waitingMessages: 1_500,
            connections: 4, connectionLimit: 4_096, lanes: lanes, accounts: accounts, orders: [],
            blocks: blocks)
    }
}

struct TopScreenTests {
    private static let lanes = [
        LaneReport(name: "default mx.a.example", site: "mx.a.example", provider: "default", perSecond: 5, accepted: 50),
        LaneReport(
            name: "gmail a.gmail.com,b.gmail.com", site: "a.gmail.com,b.gmail.com", provider: "gmail",
            state: "backing_off", reason: "reply 421 4.7.28", endsInSeconds: 90, queued: 40, deferred: 3,
            lastRefusal: .init(code: 421, enhanced: "4.7.28", secondsAgo: 4)),
    ]

    @Test func `a table has everything in plain text`() {
        var screen = TopScreen()
        let start = ContinuousClock.now
        screen.take(TopSample(.sample(delivered: 2), at: start))
        let account = AccountReport(account: 7, isStopped: true, batches: 2, waiting: 1_500, counts: AccountCounts())
        screen.take(TopSample(.sample(lanes: Self.lanes, accounts: [account]), at: start + .seconds(2)))
        let lines = screen.lines(width: 200, height: .max, styled: false)
        let text = lines.joined(separator: "\n")
        #expect(!text.contains("\u{1B}"))
        #expect(lines[0] == "sluice  node n1  up 5 min")
        #expect(text.contains("5 delivered/s   12 delivered"))
        #expect(text.contains("4 of 4,096 connections   TLS 75 %"))
        #expect(text.contains("reply 421 4.7.28, for 90 s, last 421 4.7.28 4 s ago"))
        #expect(text.contains("gmail a.gmail.com +1"))
        #expect(lines.contains { $0.hasPrefix("      7  stopped") })
    }

    @Test func `how signatures are made stands in its head`() {
        func line(_ isBatch: Bool, _ change: (inout SigningCounts) -> Void = { _ in }) -> String? {
            var counts = SigningCounts()
            change(&counts)
            let signing = SigningStatus(isBatch: isBatch, detail: "why", fewestLanes: 3, counts: counts)
            var screen = TopScreen()
            screen.take(TopSample(.sample(signing: signing)))
            return screen.lines(width: 200, height: .max, styled: false).first { $0.hasPrefix("signing") }
        }
        #expect(line(false) == "signing  one by one: why")
        #expect(line(true) == "signing  – of 8 lanes filled   0 in passes   0 one by one")
        let filled = line(true) {
            $0.passes[7] = 1_000
            $0.passes[2] = 250
            $0.alone = 3
        }
        #expect(filled == "signing  7.0 of 8 lanes filled   8,750 in passes   3 one by one")
        #expect(line(false) { $0.mismatches = 1 } == "signing  1 did not fit   one by one: why")
    }

    @Test func `the screen keeps to its size, sorts and scrolls`() throws {
        let lanes = (0..<100).map {
            LaneReport(
                name: "default mx\($0).example", site: "mx\($0).example", provider: "default", queued: $0,
                perSecond: Double(100 - $0))
        }
        var screen = TopScreen()
        screen.take(TopSample(.sample(lanes: lanes)))
        func shown() -> [String] { screen.lines(width: 60, height: 24, styled: true) }
        #expect(shown().count <= 24)
        #expect(shown().allSatisfy { $0.replacing(/\u{1B}\[\d+m/, with: "").count <= 60 })
        #expect(try #require(shown().first { $0.contains("mx") }).contains("mx0.example"))
        screen.sortByNext()
        #expect(screen.order == .queued)
        #expect(try #require(shown().first { $0.contains("mx") }).contains("mx99.example"))
        screen.scroll(by: 3)
        #expect(try #require(shown().first { $0.contains("mx") }).contains("mx96.example"))
        screen.scroll(by: 1_000)
        #expect(try #require(shown().first { $0.contains("mx") }).contains("mx0.example"))
        screen.scroll(by: -1_000)
        #expect(try #require(shown().first { $0.contains("mx") }).contains("mx99.example"))
    }

    @Test func `campaigns whose mail is blocked stand above all, the latest first`() {
        let blocks = (0..<5).map { number in
            CampaignBlockReport(
                account: 7, campaign: "c\(number)", reply: "554 5.7.1 blocked", count: 1_000 + number,
                secondsAgo: Double(number))
        }
        var screen = TopScreen()
        screen.take(TopSample(.sample(blocks: blocks)))
        let lines = screen.lines(width: 200, height: .max, styled: false)
        #expect(
            lines.contains("blocked  campaign c1 of account 7: 1,001 refused, last 1 s ago: 554 5.7.1 blocked"))
        #expect(!lines.contains { $0.contains("campaign c3") } && lines.contains("… and 2 more campaigns"))
    }

    @Test func `keys are read one by one`() {
        let keys = TerminalScreen.keys(in: Array("sx\u{1B}[A\u{1B}[B\u{1B}OAjq".utf8)[...])
        #expect(keys == [.sort, .up, .down, .up, .down, .quit])
    }
}
