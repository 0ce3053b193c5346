import MailTypes
import TestPeers
import TestSupport
import Testing

@testable import DNSResolution

@Suite struct MailRoutePlanTests {
    private let domain = try! DomainName("d.example")
    private let configuration = ResolverConfiguration()

    private func start(_ answer: DNSAnswer, seed: UInt64 = 1) throws -> MailRoutePlan.Start {
        var generator = SeededGenerator(seed: seed)
        return try MailRoutePlan.start(domain, answer, using: &generator)
    }

    private func hosts(_ records: [[UInt8]], seed: UInt64 = 1) throws -> [String] {
        guard case .lookUp(let plan) = try start(.records(records), seed: seed) else { return ["null MX"] }
        return plan.hosts.map { "\($0.preference) \($0.name)" }
    }

    @Test(arguments: [
        (DNSAnswer.noName, DNSFailure.permanent(.noSuchDomain)), (.failure(.serverFailure), .temporary(.serverFailure)),
        (.failure(.timeout), .temporary(.timeout)), (.failure(.bogus), .temporary(.bogus)),
        (.failure(.nameUnusable), .permanent(.nameUnusable)), (.records([[0, 10]]), .permanent(.noUsableMailHost)),
        (.records([Wire.mx(10, "192.0.2.1")]), .permanent(.noUsableMailHost)),
    ])
    func `failures`(answer: DNSAnswer, failure: DNSFailure) {
        #expect(throws: failure) { try start(answer) }
    }

    @Test func `only the lack of records lets the domain stand for itself`() throws {
        #expect(
            try start(.noRecords)
                == .lookUp(MailRoutePlan(hosts: [.init(name: "d.example", preference: 0)], isImplicit: true)))
    }

    @Test func `records are ordered once each and bounded`() throws {
        #expect(try hosts([Wire.mx(20, "b.example"), Wire.mx(10, "A.example")]) == ["10 a.example", "20 b.example"])
        #expect(try hosts([Wire.mx(20, "a.example"), Wire.mx(10, "a.example")]) == ["10 a.example"])
        #expect(try hosts([Wire.mx(0, "")]) == ["null MX"])
        #expect(try hosts([Wire.mx(0, ""), Wire.mx(5, "")]) == ["null MX"])
        #expect(try hosts([Wire.mx(0, ""), Wire.mx(65_535, "a.example")]) == ["65535 a.example"])
        #expect(try hosts((0..<300).map { Wire.mx($0, "h\($0).example") }).count == 16)
        #expect(try hosts((0..<300).reversed().map { Wire.mx(300 - $0, "h\($0).example") }).first == "1 h299.example")
    }

    @Test func `every order of ties comes up about as often`() throws {
        var counts: [[String]: Int] = [:]
        for seed in 0..<6_000 {
            let order = try hosts(
                [1, 2, 3].map { Wire.mx(10, "h\($0).example") } + [Wire.mx(5, "first.example")], seed: UInt64(seed))
            #expect(order[0] == "5 first.example")
            counts[order, default: 0] += 1
        }
        #expect(counts.count == 6)
        // Five standard deviations of 1,000 ± 29.
        #expect(counts.values.allSatisfy { (850...1_150).contains($0) })
    }

    @Test func `addresses decide`() throws {
        let plan = MailRoutePlan(
            hosts: [.init(name: "a", preference: 1), .init(name: "b", preference: 2)], isImplicit: false)
        let v4 = DNSAnswer.records([[192, 0, 2, 1]])
        let v6 = DNSAnswer.records([IPAddress("2001:db8::1")!.bytes])
        func finish(_ answers: [DNSAnswer]) throws -> [String] {
            guard case .hosts(let hosts) = try plan.finish(answers, configuration) else { return [] }
            return hosts.map { "\($0.name) \($0.addresses.map(\.description))" }
        }
        #expect(try finish([v4, v6, v4, .noRecords]) == ["a [\"192.0.2.1\", \"2001:db8::1\"]", "b [\"192.0.2.1\"]"])
        #expect(try finish([.failure(.timeout), .noRecords, .noName, v6]) == ["b [\"2001:db8::1\"]"])
        #expect(try finish([.failure(.timeout), v6, .noName, .noName]) == ["a [\"2001:db8::1\"]"])
        // Data of a wrong length is no address.
        #expect(throws: DNSFailure.temporary(.noUsableMailHost)) {
            try finish([.records([[1, 2, 3]]), .noRecords, .noName, .noName])
        }
        for place in 0..<4 {
            var answers = [DNSAnswer](repeating: .noName, count: 4)
            #expect(throws: DNSFailure.temporary(.noUsableMailHost)) { try finish(answers) }
            answers[place] = .failure(.bogus)
            #expect(throws: DNSFailure.temporary(.bogus)) { try finish(answers) }
        }
        let own = MailRoutePlan(hosts: [.init(name: "d.example", preference: 0)], isImplicit: true)
        #expect(throws: DNSFailure.permanent(.noMailHost)) { try own.finish([.noRecords, .noRecords], configuration) }
        #expect(throws: DNSFailure.permanent(.noSuchDomain)) { try own.finish([.noName, .noName], configuration) }
        #expect(throws: DNSFailure.temporary(.timeout)) {
            try own.finish([.noRecords, .failure(.timeout)], configuration)
        }
    }
}
