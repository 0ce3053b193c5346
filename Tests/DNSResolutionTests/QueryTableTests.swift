import TestSupport
import Testing

@testable import DNSResolution

@Suite struct QueryTableTests {
    private let start = ContinuousClock.now

    private func question(_ number: Int) -> DNSQuestion { DNSQuestion(name: "q\(number)", type: .address) }

    @Test func `a request ends with its last answer and in its order`() {
        var table = QueryTable(maximumActive: 4)
        let deadline = start + .seconds(1)
        #expect(
            table.add(request: 7, [question(0), question(1)], deadline: deadline)
                == [.submit(ticket: 1, question(0)), .submit(ticket: 2, question(1))])
        #expect(table.answer(ticket: 2, .noName) == [])
        #expect(table.answer(ticket: 1, .noRecords) == [.finish(request: 7, [.noRecords, .noName])])
        #expect(table.answer(ticket: 1, .noRecords) == [])
        #expect(table.add(request: 8, [], deadline: deadline) == [.finish(request: 8, [])])
    }

    @Test func `questions beyond the room wait`() {
        var table = QueryTable(maximumActive: 2)
        let deadline = start + .seconds(1)
        #expect(table.add(request: 1, (0..<3).map(question), deadline: deadline).count == 2)
        #expect(table.add(request: 2, [question(3)], deadline: deadline) == [])
        #expect(table.answer(ticket: 1, .noName) == [.submit(ticket: 3, question(2))])
        #expect(table.answer(ticket: 3, .noName) == [.submit(ticket: 4, question(3))])
    }

    @Test func `late requests end with what they have and make room`() {
        var table = QueryTable(maximumActive: 2)
        _ = table.add(request: 1, [question(0), question(1)], deadline: start + .seconds(1))
        _ = table.add(request: 2, [question(2)], deadline: start + .seconds(2))
        _ = table.answer(ticket: 1, .noName)
        #expect(table.nextDeadline == start + .seconds(1))
        #expect(table.expire(at: start + .milliseconds(999)) == [])
        #expect(table.expire(at: start + .seconds(1)) == [.finish(request: 1, [.noName, .failure(.timeout)])])
        #expect(table.nextDeadline == start + .seconds(2))
        // An answer that nobody waits for.
        #expect(table.answer(ticket: 2, .noName) == [])
        #expect(table.answer(ticket: 3, .noName) == [.finish(request: 2, [.noName])])
        #expect(table.expire(at: start + .seconds(9)) == [])
        #expect(table.nextDeadline == nil)
    }

    @Test func `questions that nobody waits for are bounded too`() {
        var table = QueryTable(maximumActive: 1)
        var submitted = 0
        for request in 1...10 {
            submitted += table.add(request: UInt64(request), [question(request)], deadline: start).count
            _ = table.expire(at: start)
        }
        #expect(submitted == 4)
    }

    /// Requests, answers, cancellations and time in random order: each request ends exactly once, with one answer for
    /// each question, and the room is never exceeded.
    @Test(arguments: Seed.range(20)) func `random events keep the rules`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let maximum = Int.random(in: 1...5, using: &generator)
        var table = QueryTable(maximumActive: maximum)
        var now = start
        var open: [UInt64: Int] = [:]
        var owner: [UInt64: UInt64] = [:]
        var tickets: [UInt64] = []
        var lastRequest: UInt64 = 0

        func check(_ actions: [QueryTable.Action]) {
            for action in actions {
                switch action {
                case .submit(let ticket, let question):
                    tickets.append(ticket)
                    owner[ticket] = UInt64(question.name.dropFirst())!
                case .finish(let request, let answers):
                    #expect(open.removeValue(forKey: request) == answers.count)
                }
            }
            #expect(tickets.count(where: { open[owner[$0]!] != nil }) <= maximum)
            #expect(tickets.count <= 4 * maximum)
        }

        for _ in 0..<600 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<4:
                lastRequest += 1
                let count = Int.random(in: 0...4, using: &generator)
                open[lastRequest] = count
                let questions = Array(repeating: DNSQuestion(name: "q\(lastRequest)", type: .address), count: count)
                check(
                    table.add(
                        request: lastRequest, questions,
                        deadline: now + .seconds(Int.random(in: 0...30, using: &generator))))
            case 4..<8:
                guard let index = tickets.indices.randomElement(using: &generator) else { continue }
                let ticket = tickets.remove(at: index)
                check(table.answer(ticket: ticket, .noName))
            case 8: check(table.cancel(request: UInt64.random(in: 0...lastRequest, using: &generator)))
            default:
                now += .seconds(1)
                check(table.expire(at: now))
            }
        }
        check(table.stop())
        #expect(open.isEmpty)
    }
}
