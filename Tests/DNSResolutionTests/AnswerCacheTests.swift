import TestSupport
import Testing

@testable import DNSResolution

@Suite struct AnswerCacheTests {
    private let start = ContinuousClock.now

    private func question(_ number: Int) -> DNSQuestion { DNSQuestion(name: "q\(number)", type: .address) }
    private func records(_ octet: UInt8) -> DNSAnswer { .records([[octet]]) }

    @Test(arguments: [
        (DNSAnswer.records([[1]]), 5, 5), (.noName, 5, 5), (.noRecords, 5, 5), (.noName, 3_600, 60), (.noName, 0, 0),
        (.failure(.serverFailure), 5, 0), (.failure(.bogus), 5, 0),
    ])
    func `an answer stays for as long as it says, a minute at most, and a failure does not`(
        answer: DNSAnswer, seconds: Int, expected: Int
    ) {
        var cache = AnswerCache()
        cache.keep(answer, to: question(1), seconds: seconds, at: start)
        #expect(cache.answers(to: [question(1)], at: start + .seconds(expected)) == nil)
        guard expected > 0 else { return }
        let last = start + .seconds(expected) - .milliseconds(1)
        #expect(cache.answers(to: [question(1)], at: last) == [answer])
    }

    @Test func `answers come in the order of the questions, and all or none`() {
        var cache = AnswerCache()
        for number in [1, 2] { cache.keep(records(UInt8(number)), to: question(number), seconds: 9, at: start) }
        #expect(cache.answers(to: [question(2), question(1)], at: start) == [records(2), records(1)])
        #expect(cache.answers(to: [question(2), question(3)], at: start) == nil)
        #expect(cache.answers(to: [], at: start) == [])
    }

    @Test func `a type is asked for itself`() {
        var cache = AnswerCache()
        cache.keep(.noName, to: question(1), seconds: 9, at: start)
        #expect(cache.answers(to: [DNSQuestion(name: "q1", type: .text)], at: start) == nil)
    }

    /// Answers that come in random order, for fewer names than the cache has room for, are all the latest; whatever the
    /// number of names, it keeps the last `capacity` answers and not more than twice as many.
    @Test(arguments: Seed.range(10)) func `the latest answers are kept`(seed: Seed) {
        var generator = SeededGenerator(seed)
        let capacity = Int.random(in: 1...20, using: &generator)
        var cache = AnswerCache(capacity: capacity)
        var latest: [Int: UInt8] = [:]
        var order: [Int] = []
        for _ in 0..<500 {
            let (name, octet) = (
                Int.random(in: 0..<60, using: &generator), UInt8.random(in: 0...255, using: &generator)
            )
            cache.keep(records(octet), to: question(name), seconds: 9, at: start)
            latest[name] = octet
            order.removeAll { $0 == name }
            order.append(name)
            for name in order.suffix(capacity) {
                #expect(cache.answers(to: [question(name)], at: start) == latest[name].map { [records($0)] })
            }
            let kept = order.count { cache.answers(to: [question($0)], at: start) != nil }
            #expect(kept <= 2 * capacity)
        }
    }
}
