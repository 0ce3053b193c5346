/// The latest answers, at hand for whoever asks.
///
/// libunbound has a cache of its own, but each question to it goes through two threads and back. A campaign asks about a
/// domain once for each of its batches, which is thousands of times for one of a million recipients.
///
/// Answers stay for as long as their records may (RFC 1035 §3.2.1, RFC 2308 §5 for what does not exist), a minute at most.
/// Failures do not stay.
struct AnswerCache {
    typealias Instant = ContinuousClock.Instant

    private struct Entry {
        let answer: DNSAnswer
        let end: Instant
    }

    /// Once the young are full they become the old, and the old are forgotten.
    private var young: [DNSQuestion: Entry] = [:]
    private var old: [DNSQuestion: Entry] = [:]
    private let capacity: Int

    /// - Parameter capacity: answers that are kept; twice as many for a time.
    init(capacity: Int = 8_192) {
        precondition(capacity > 0)
        self.capacity = capacity
    }

    /// - Returns: the answers to all of them, in their order; nil if one is missing.
    func answers(to questions: [DNSQuestion], at now: Instant) -> [DNSAnswer]? {
        var answers: [DNSAnswer] = []
        answers.reserveCapacity(questions.count)
        for question in questions {
            guard let entry = young[question] ?? old[question], now < entry.end else { return nil }
            answers.append(entry.answer)
        }
        return answers
    }

    /// - Parameter seconds: for which the answer holds.
    mutating func keep(_ answer: DNSAnswer, to question: DNSQuestion, seconds: Int, at now: Instant) {
        if case .failure = answer { return }
        guard seconds > 0 else { return }
        if young.count >= capacity {
            old = young
            young.removeAll()
        }
        young[question] = Entry(answer: answer, end: now + .seconds(min(seconds, Self.longestSeconds)))
    }

    static let longestSeconds = 60
}
