import Foundation
import MailSink
import OperatorAPI

/// How even a run was: its copies in ten equal parts, by the order in which they came. Empty where a part was too short
/// for a look at the server.
struct Tenths: Encodable, Sendable {
    /// Copies a second.
    private(set) var messagesPerSecond: [Double] = []
    /// The server's, for 1,000 copies: what the machine gives to others meanwhile, it leaves out.
    private(set) var cpuSecondsPerThousand: [Double] = []
    /// What the server kept at most.
    private(set) var memoryBytes: [Int] = []

    init(_ arrivals: Arrivals, since start: Int64, _ looks: [ServerCourse.Look]) {
        let copies = arrivals.copies
        guard copies.count >= 100 else { return }
        let ends = (1...10).map { copies[copies.count * $0 / 10 - 1].milliseconds }
        let parts = zip([start] + ends, ends).map { begin, end in
            (milliseconds: end - begin, looks: looks.filter { (begin...end).contains($0.milliseconds) })
        }
        for part in parts {
            guard let first = part.looks.first, let last = part.looks.last, last.milliseconds > first.milliseconds
            else {
                (messagesPerSecond, cpuSecondsPerThousand, memoryBytes) = ([], [], [])
                return
            }
            let perSecond = Double(copies.count) / 10 * 1_000 / Double(part.milliseconds)
            let share = (last.cpuSeconds - first.cpuSeconds) / Double(last.milliseconds - first.milliseconds) * 1_000
            messagesPerSecond.append(perSecond)
            cpuSecondsPerThousand.append(share / perSecond * 1_000)
            memoryBytes.append(part.looks.map(\.residentBytes).max() ?? 0)
        }
    }
}

/// Looks at this process, which is the server, every fifth of a second.
struct ServerCourse {
    struct Look {
        /// Since 1970.
        let milliseconds: Int64
        /// Since the process began.
        let cpuSeconds: Double
        let residentBytes: Int
    }

    private let looking = Task {
        var looks: [Look] = []
        while !Task.isCancelled {
            looks.append(
                Look(
                    milliseconds: SinkLog.milliseconds(), cpuSeconds: ProcessUsage.cpuSeconds(),
                    residentBytes: ProcessUsage.memory().resident))
            try? await Task.sleep(for: .milliseconds(200))
        }
        return looks
    }

    /// Ends it.
    func stop() async -> [Look] {
        looking.cancel()
        return await looking.value
    }
}
