import Foundation
import Testing

@testable import Application

@Suite struct ArrivalsTests {
    @Test func `a sink's log is read, and other lines are passed over`() {
        let log = """
            2000\taccepted\t250\tb@example.org\t<2@example.org>
            1000\tdropped\t0\ta@example.org\t1@example.org
            1500\ttemporary\t451\tc@example.org\t-
            1600\tpermanent\t550\td@example.org\t-
            \taccepted
            3000\taccepted\t250\ta@example.org\t1@example.org
            """
        let arrivals = Arrivals(log: Data(log.utf8))
        #expect(arrivals.copies.map(\.milliseconds) == [1000, 2000, 3000])
        #expect(arrivals.deferrals == [1500])
        #expect(arrivals.duplicates == 1)
        #expect(arrivals.since(1600).copies.count == 2 && arrivals.since(1600).deferrals.isEmpty)
        #expect(arrivals.filter { $0.hasPrefix("b") }.copies.map(\.milliseconds) == [2000])
    }

    /// 100 copies in ten seconds, after a start and before a tail that are ten times slower.
    @Test func `the steady rate leaves out the first and the last tenth`() throws {
        let times =
            (0..<10).map { $0 * 1_000 } + (0..<100).map { 10_000 + $0 * 100 } + (1...10).map { 20_000 + $0 * 1_000 }
        let arrivals = Arrivals(copies: times.map { Arrivals.Copy(milliseconds: Int64($0), recipient: "\($0)") })
        let rate = try #require(arrivals.steadyRate)
        #expect(abs(rate - 10) < 0.5)
        #expect(Arrivals(copies: Array(arrivals.copies.prefix(19))).steadyRate == nil)
    }

    @Test func `a curve holds every copy once`() {
        let arrivals = Arrivals(
            copies: (0..<1_000).map { Arrivals.Copy(milliseconds: 5_000 + Int64($0), recipient: "\($0)") })
        let curve = arrivals.curve("sink", since: 5_000)
        #expect(curve.stepSeconds == 0.1 && curve.rates.count == 10)
        #expect(curve.rates.allSatisfy { abs($0 - 1_000) < 0.001 })
        #expect(Arrivals(copies: []).curve("none", since: 0).rates.isEmpty)
    }

    @Test func `percentiles are those of the durations`() {
        var latencies = LatencyHistogram()
        for milliseconds in 1...1_000 { latencies.record(microseconds: Int64(milliseconds) * 1_000) }
        latencies.record(microseconds: -5)
        let summary = latencies.summary
        #expect(summary.count == 1_001)
        for (found, expected) in [
            (summary.p50Milliseconds, 500.0), (summary.p90Milliseconds, 900), (summary.p99Milliseconds, 990),
            (summary.p999Milliseconds, 999), (summary.maximumMilliseconds, 1_000),
        ] {
            #expect(abs(found - expected) <= expected / 500)
        }
    }
}
