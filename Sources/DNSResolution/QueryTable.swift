/// Which questions wait, which are with libunbound, and which requests are still wanted. Decides; does nothing itself.
///
/// A request is one or more questions whose answers are wanted together by a deadline. A question that is with libunbound
/// cannot be called back: when its request is given up, its ticket stays until the answer comes, and no longer counts
/// against the room for wanted questions, but against a wider bound.
struct QueryTable {
    typealias Instant = ContinuousClock.Instant

    enum Action: Hashable {
        /// Hand a question to libunbound and give its answer to `answer(ticket:_:)`.
        case submit(ticket: UInt64, DNSQuestion)
        /// Give the answers to who asked.
        case finish(request: UInt64, [DNSAnswer])
    }

    private struct Request {
        let questions: [DNSQuestion]
        var answers: [DNSAnswer?]
        var unanswered: Int
        var withLibrary = 0
        let deadline: Instant
    }

    private struct Place {
        let request: UInt64
        let index: Int
    }

    private let maximumActive: Int
    private var requests: [UInt64: Request] = [:]
    private var tickets: [UInt64: Place] = [:]
    /// Those with libunbound that somebody still waits for.
    private var active = 0
    private var waiting: [Place] = []
    private var firstWaiting = 0
    private var lastTicket: UInt64 = 0

    /// No deadline is earlier. It may be that of a request that is done: then a look for late ones is made in vain.
    private(set) var nextDeadline: Instant?

    init(maximumActive: Int) {
        precondition(maximumActive > 0)
        self.maximumActive = maximumActive
    }

    private var maximumTickets: Int { 4 * maximumActive }

    /// - Parameter id: not used before.
    mutating func add(request id: UInt64, _ questions: [DNSQuestion], deadline: Instant) -> [Action] {
        guard !questions.isEmpty else { return [.finish(request: id, [])] }
        requests[id] = Request(
            questions: questions, answers: Array(repeating: nil, count: questions.count),
            unanswered: questions.count, deadline: deadline)
        nextDeadline = min(nextDeadline ?? deadline, deadline)
        waiting += questions.indices.map { Place(request: id, index: $0) }
        return submitWaiting()
    }

    mutating func answer(ticket: UInt64, _ answer: DNSAnswer) -> [Action] {
        guard let place = tickets.removeValue(forKey: ticket) else { return [] }
        var actions: [Action] = []
        if var request = requests.removeValue(forKey: place.request) {
            active -= 1
            request.withLibrary -= 1
            request.answers[place.index] = answer
            request.unanswered -= 1
            if request.unanswered == 0 {
                actions.append(.finish(request: place.request, request.answers.compactMap(\.self)))
            } else {
                requests[place.request] = request
            }
        }
        return actions + submitWaiting()
    }

    mutating func cancel(request id: UInt64) -> [Action] {
        giveUp(id, .cancelled) + submitWaiting()
    }

    /// Gives up the requests whose deadline is `now` or earlier.
    mutating func expire(at now: Instant) -> [Action] {
        guard let nextDeadline, nextDeadline <= now else { return [] }
        let late = requests.filter { $0.value.deadline <= now }.keys.sorted()
        let actions = late.flatMap { giveUp($0, .timeout) }
        self.nextDeadline = requests.values.map(\.deadline).min()
        return actions + submitWaiting()
    }

    /// Gives up everything.
    mutating func stop() -> [Action] {
        requests.keys.sorted().flatMap { giveUp($0, .cancelled) }
    }

    private mutating func giveUp(_ id: UInt64, _ reason: DNSFailure.Reason) -> [Action] {
        guard let request = requests.removeValue(forKey: id) else { return [] }
        active -= request.withLibrary
        return [.finish(request: id, request.answers.map { $0 ?? .failure(reason) })]
    }

    private mutating func submitWaiting() -> [Action] {
        var actions: [Action] = []
        while firstWaiting < waiting.count, active < maximumActive, tickets.count < maximumTickets {
            let place = waiting[firstWaiting]
            firstWaiting += 1
            guard let question = requests[place.request]?.questions[place.index] else { continue }
            requests[place.request]?.withLibrary += 1
            active += 1
            lastTicket += 1
            tickets[lastTicket] = place
            actions.append(.submit(ticket: lastTicket, question))
        }
        // Moving the rest to the front once half is gone costs each place one move.
        if firstWaiting * 2 >= waiting.count {
            waiting.removeFirst(firstWaiting)
            firstWaiting = 0
        }
        return actions
    }
}
