import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A thread that owns libunbound and serves everybody who asks. Tasks only leave a request and are resumed: none of them
/// waits on a thread.
final class QueryEngine: Sendable {
    private struct Request: Sendable {
        let id: UInt64
        let questions: [DNSQuestion]
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<[DNSAnswer], Never>
    }

    private struct Inbox {
        var requests: [Request] = []
        var cancellations: [UInt64] = []
        var isStopping = false
        /// A wake-up is under way, so another one is not needed.
        var isSignalled = false
        var lastID: UInt64 = 0
    }

    private let inbox = Mutex(Inbox())
    private let cache = Mutex(AnswerCache())
    private let wakeUp: Pipe

    init(_ configuration: ResolverConfiguration) throws(ResolverConfigurationError) {
        wakeUp = try Pipe()
        let context = try UnboundContext(configuration)
        let table = QueryTable(maximumActive: max(1, configuration.maximumConcurrentQuestions))
        let thread = Thread { [self] in run(context, table) }
        thread.name = "dns"
        thread.start()
    }

    /// Ends the thread. Requests that are under way fail as cancelled.
    func stop() {
        inbox.withLock { inbox in
            inbox.isStopping = true
            signal(&inbox)
        }
    }

    /// - Returns: one answer for each question, in their order; on cancellation and when the deadline passes, failures for
    ///   those that have none.
    func ask(_ questions: [DNSQuestion], deadline: ContinuousClock.Instant) async -> [DNSAnswer] {
        if let answers = cache.withLock({ $0.answers(to: questions, at: .now) }) { return answers }
        let id = inbox.withLock { inbox in
            inbox.lastID += 1
            return inbox.lastID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                add(Request(id: id, questions: questions, deadline: deadline, continuation: continuation))
                // If the handler ran before the request was in, its cancellation found nothing.
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func add(_ request: Request) {
        let isStopping = inbox.withLock { inbox in
            guard !inbox.isStopping else { return true }
            inbox.requests.append(request)
            signal(&inbox)
            return false
        }
        if isStopping { request.continuation.resume(returning: request.questions.map { _ in .failure(.cancelled) }) }
    }

    private func cancel(_ id: UInt64) {
        inbox.withLock { inbox in
            guard !inbox.isStopping else { return }
            inbox.cancellations.append(id)
            signal(&inbox)
        }
    }

    private func signal(_ inbox: inout Inbox) {
        guard !inbox.isSignalled else { return }
        inbox.isSignalled = true
        wakeUp.signal()
    }

    // MARK: The thread

    private func run(_ context: UnboundContext, _ table: consuming QueryTable) {
        var continuations: [UInt64: CheckedContinuation<[DNSAnswer], Never>] = [:]
        while true {
            let (requests, cancellations, isStopping) = inbox.withLock { inbox in
                defer {
                    inbox.requests.removeAll()
                    inbox.cancellations.removeAll()
                    inbox.isSignalled = inbox.isStopping
                }
                if inbox.isSignalled { wakeUp.drain() }
                return (inbox.requests, inbox.cancellations, inbox.isStopping)
            }
            for request in requests {
                continuations[request.id] = request.continuation
                let actions = table.add(request: request.id, request.questions, deadline: request.deadline)
                carryOut(actions, context, &table, &continuations)
            }
            for id in cancellations { carryOut(table.cancel(request: id), context, &table, &continuations) }
            if isStopping {
                carryOut(table.stop(), context, &table, &continuations)
                return
            }
            if wait(context, until: table.nextDeadline) {
                for answered in context.process() {
                    cache.withLock { cache in
                        cache.keep(answered.answer, to: answered.question, seconds: answered.seconds, at: .now)
                    }
                    carryOut(
                        table.answer(ticket: answered.ticket, answered.answer), context, &table, &continuations)
                }
            }
            // After the answers: when this thread was kept from running, what came in time counts.
            carryOut(table.expire(at: .now), context, &table, &continuations)
        }
    }

    private func carryOut(
        _ actions: [QueryTable.Action], _ context: UnboundContext, _ table: inout QueryTable,
        _ continuations: inout [UInt64: CheckedContinuation<[DNSAnswer], Never>]
    ) {
        var actions = actions[...]
        while let action = actions.popFirst() {
            switch action {
            case .submit(let ticket, let question):
                if let reason = context.submit(question, ticket: ticket) {
                    actions += table.answer(ticket: ticket, .failure(reason))
                }
            case .finish(let request, let answers):
                continuations.removeValue(forKey: request)?.resume(returning: answers)
            }
        }
    }

    /// - Returns: whether libunbound has something to process.
    private func wait(_ context: UnboundContext, until deadline: ContinuousClock.Instant?) -> Bool {
        var milliseconds: Int32 = -1
        if let deadline {
            let rest = max(.zero, deadline - .now)
            // Rounded up, lest the last millisecond be spent in a loop.
            milliseconds = Int32(min(rest / .milliseconds(1), 1e9).rounded(.up))
        }
        var descriptors = [
            pollfd(fd: context.fileDescriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeUp.readEnd, events: Int16(POLLIN), revents: 0),
        ]
        guard unsafe poll(&descriptors, 2, milliseconds) > 0 else { return false }
        return descriptors[0].revents != 0
    }
}

extension QueryEngine {
    /// Two file descriptors through which one thread wakes another that polls.
    private struct Pipe: ~Copyable {
        let readEnd: Int32
        private let writeEnd: Int32

        init() throws(ResolverConfigurationError) {
            var ends: [Int32] = [0, 0]
            guard unsafe pipe(&ends) == 0 else {
                throw ResolverConfigurationError(description: "no file descriptors are left")
            }
            (readEnd, writeEnd) = (ends[0], ends[1])
            for end in ends {
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
                // Processes that this one starts have no use for it.
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            }
        }

        deinit {
            close(readEnd)
            close(writeEnd)
        }

        func signal() {
            var byte: UInt8 = 1
            _ = unsafe write(writeEnd, &byte, 1)
        }

        func drain() {
            var bytes = [UInt8](repeating: 0, count: 16)
            while unsafe read(readEnd, &bytes, bytes.count) > 0 {}
        }
    }
}
