import Foundation
import Histogram

/// Durations, kept to three digits, and what is told of them.
struct LatencyHistogram: Sendable {
    private var histogram = Histogram<UInt64>(highestTrackableValue: Self.most)

    /// An hour.
    private static var most: UInt64 { 3_600_000_000 }

    mutating func record(microseconds: Int64) {
        histogram.record(min(UInt64(max(0, microseconds)), Self.most))
    }

    mutating func add(_ other: LatencyHistogram) { histogram.add(other.histogram) }

    var summary: Summary {
        func milliseconds(_ percentile: Double) -> Double {
            Double(histogram.valueAtPercentile(percentile)) / 1_000
        }
        return Summary(
            count: Int(histogram.totalCount), p50Milliseconds: milliseconds(50), p90Milliseconds: milliseconds(90),
            p99Milliseconds: milliseconds(99), p999Milliseconds: milliseconds(99.9),
            maximumMilliseconds: milliseconds(100))
    }

    struct Summary: Encodable, Hashable {
        let count: Int
        let p50Milliseconds, p90Milliseconds, p99Milliseconds, p999Milliseconds, maximumMilliseconds: Double

        /// Median, 99th percentile and maximum.
        var text: String {
            [p50Milliseconds, p99Milliseconds, maximumMilliseconds].map(Self.text).joined(separator: " / ")
        }

        static func text(_ milliseconds: Double) -> String {
            milliseconds >= 10_000
                ? String(format: "%.1f s", milliseconds / 1_000)
                : String(format: milliseconds >= 100 ? "%.0f ms" : "%.1f ms", milliseconds)
        }
    }
}
