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
    /// The sink's, which does the same for each copy: where it rises the machine has become slower, not the server.
    private(set) var sinkCPUSecondsPerThousand: [Double] = []
    /// What the server kept in the mean.
    private(set) var memoryBytes: [Int] = []

    private init() {}

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
                self = Tenths()
                return
            }
            let perSecond = Double(copies.count) / 10 * 1_000 / Double(part.milliseconds)
            func cpuSecondsPerThousand(_ seconds: (ServerCourse.Look) -> Double) -> Double {
                let share = (seconds(last) - seconds(first)) / Double(last.milliseconds - first.milliseconds) * 1_000
                return share / perSecond * 1_000
            }
            messagesPerSecond.append(perSecond)
            self.cpuSecondsPerThousand.append(cpuSecondsPerThousand(\.cpuSeconds))
            sinkCPUSecondsPerThousand.append(cpuSecondsPerThousand(\.sinkCPUSeconds))
            memoryBytes.append(part.looks.reduce(0) { $0 + $1.residentBytes } / part.looks.count)
        }
    }
}

/// Looks at this process, which is the server, and at the sink's every fifth of a second.
struct ServerCourse {
    struct Look {
        /// Since 1970.
        let milliseconds: Int64
        /// Since the process began.
        let cpuSeconds: Double
        let sinkCPUSeconds: Double
        let residentBytes: Int
    }

    private let looking: Task<[Look], Never>

    init(_ rig: Rig) {
        looking = Task {
            var looks: [Look] = []
            while !Task.isCancelled {
                looks.append(
                    Look(
                        milliseconds: SinkLog.milliseconds(), cpuSeconds: ProcessUsage.cpuSeconds(),
                        sinkCPUSeconds: rig.sinkCPUSeconds, residentBytes: ProcessUsage.memory().resident))
                try? await Task.sleep(for: .milliseconds(200))
            }
            return looks
        }
    }

    /// Ends it.
    func stop() async -> [Look] {
        looking.cancel()
        return await looking.value
    }
}
