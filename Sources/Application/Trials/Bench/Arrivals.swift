import Foundation
import MailSink

/// The copies that a sink took, in the order of time, as its log tells them.
struct Arrivals: Sendable {
    struct Copy: Sendable, Hashable {
        /// Since 1970.
        let milliseconds: Int64
        let recipient: String
    }

    let copies: [Copy]
    /// Refusals for now, by time.
    let deferrals: [Int64]

    init(copies: [Copy], deferrals: [Int64] = []) {
        self.copies = copies.sorted { $0.milliseconds < $1.milliseconds }
        self.deferrals = deferrals
    }

    /// - Parameter log: written by ``SinkLog`` with recipients in plain text. Lines that it did not write are passed over.
    init(log: Data) {
        var copies: [Copy] = []
        var deferrals: [Int64] = []
        for line in log.split(separator: UInt8(ascii: "\n")) {
            let columns = line.split(separator: UInt8(ascii: "\t"))
            guard columns.count == 5, let time = Int64(String(decoding: columns[0], as: UTF8.self)) else { continue }
            switch SinkLog.Verdict(rawValue: String(decoding: columns[1], as: UTF8.self)) {
            case .accepted, .dropped:
                copies.append(Copy(milliseconds: time, recipient: String(decoding: columns[3], as: UTF8.self)))
            case .temporary: deferrals.append(time)
            case .permanent, .closed, nil: continue
            }
        }
        self.init(copies: copies, deferrals: deferrals)
    }

    /// Those from a moment on.
    func since(_ milliseconds: Int64) -> Arrivals {
        Arrivals(
            copies: copies.filter { $0.milliseconds >= milliseconds },
            deferrals: deferrals.filter { $0 >= milliseconds })
    }

    /// The copies of some recipients.
    func filter(_ isWanted: (String) -> Bool) -> Arrivals {
        Arrivals(copies: copies.filter { isWanted($0.recipient) })
    }

    /// Copies a second between the first and the last tenth: without the start and the tail. Nil for fewer than 20 copies,
    /// or if all came at once.
    var steadyRate: Double? {
        guard copies.count >= 20 else { return nil }
        let first = copies.count / 10
        let last = copies.count - 1 - first
        let seconds = Double(copies[last].milliseconds - copies[first].milliseconds) / 1_000
        return seconds > 0 ? Double(last - first) / seconds : nil
    }

    /// From a moment to each copy.
    func latencies(since start: Int64) -> LatencyHistogram {
        var latencies = LatencyHistogram()
        for copy in copies { latencies.record(microseconds: (copy.milliseconds - start) * 1_000) }
        return latencies
    }

    /// Copies a second over time, in some dozen steps.
    func curve(_ name: String, since start: Int64) -> RateCurve {
        guard let last = copies.last else { return RateCurve(name: name, stepSeconds: 1, rates: []) }
        let span = last.milliseconds - start
        let step = Self.steps.first { span / $0 < 60 } ?? span / 60
        var counts = Array(repeating: 0, count: Int(max(0, span) / step) + 1)
        for copy in copies where copy.milliseconds >= start { counts[Int((copy.milliseconds - start) / step)] += 1 }
        let seconds = Double(step) / 1_000
        return RateCurve(name: name, stepSeconds: seconds, rates: counts.map { Double($0) / seconds })
    }

    /// Milliseconds.
    private static let steps: [Int64] = [100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000]
}
