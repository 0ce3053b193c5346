import MailTypes
import TestPeers
import TestSupport
import Testing

@testable import Delivery

/// What lanes get of a node's connections.
@Suite(.timeLimit(.minutes(3))) struct ConnectionBudgetTests {
    @Test func `above a few they are for lanes that have none, and for long queues`() {
        let budget = ConnectionBudget(6, few: 2)
        func take(_ count: Int, others: Int, queued: Int = 1) -> [Bool] {
            (0..<count).map { _ in budget.take(others: others, forQueued: queued) }
        }
        #expect(take(3, others: 1) == [true, true, false])
        #expect(take(1, others: 1, queued: 31) == [false] && take(1, others: 1, queued: 32) == [true])
        #expect(take(1, others: 2, queued: 47) == [false] && take(1, others: 2, queued: 48) == [true])
        #expect(take(3, others: 0) == [true, true, false])
        budget.giveBack()
        #expect(take(1, others: 1) == [false] && take(1, others: 0) == [true] && budget.inUse == 6)
    }

    @Test(arguments: [(0, 0), (64, 64), (1_024, 1_024), (4_096, 1_024), (16_384, 4_096)])
    func `a quarter are few, and so are 1,024`(limit: Int, few: Int) {
        let budget = ConnectionBudget(limit)
        let taken = (0..<limit + 1).prefix { _ in budget.take(others: 1, forQueued: 1) }
        #expect(taken.count == few && budget.inUse == few)
    }

    @Test func `a site with much mail leaves the others a connection each`() async throws {
        let sender = RecordingSender()
        sender.delivers = true
        let run = try BatchRun.sample(30)
        let server = MailServer { _, _ in .held }
        try await server.run { port in
            let routing = SampleRouting(sender, ConnectionBudget(4, few: 2))
            func workers(_ host: String) -> [Int] {
                routing.lanes.all.map(\.snapshot).filter { $0.id.hosts == [host] }.map(\.workers)
            }
            routing.enqueue(0..<17, of: run, to: try .sample(["127.0.0.1"], host: "big.example", port: port))
            for (position, host) in [(17, "b.example"), (18, "c.example"), (19, "d.example")] {
                let site = try Destination.sample(["127.0.0.1"], host: host, port: port)
                routing.enqueue(position..<position + 1, of: run, to: site)
            }
            try await eventually("four mails are under way") { server.heldCount == 4 }
            #expect(workers("big.example") == [2])
            #expect(workers("b.example") == [1] && workers("c.example") == [1] && workers("d.example") == [0])
            server.release()
            try await eventually("each mail is heard of") { sender.heard.count == 20 }
            await routing.end()
        }
    }
}
