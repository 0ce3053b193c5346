import ArgumentParser
import Foundation

/// What a benchmark found.
protocol BenchReport: Encodable {
    var title: String { get }
    /// For people.
    var table: String { get }
    var curves: [RateCurve] { get }
}

/// Where a benchmark's results go.
struct ReportOptions: ParsableArguments {
    @Flag(help: "Print JSON.") var json = false
    @Option(help: "Write the result to this file as JSON.") var output: String?
    @Option(help: "Draw the rate over time into this file as SVG.") var plot: String?

    init() {}

    func write(_ report: some BenchReport) throws {
        try printResult(report, asJSON: json) { report.table }
        if let output { try Data((try jsonText(report) + "\n").utf8).write(to: URL(fileURLWithPath: output)) }
        if let plot {
            try Data(RatePlot(title: report.title, curves: report.curves).svg.utf8)
                .write(to: URL(fileURLWithPath: plot))
        }
    }
}

/// CPU seconds for a thousand mails or recipients.
struct CPUShares: Encodable {
    let server: Double
    let postgres: Double
    let sink: Double

    init(_ usage: Usage, per count: Int) {
        let factor = 1_000 / Double(max(1, count))
        server = usage.server * factor
        postgres = usage.postgres * factor
        sink = usage.sink * factor
    }

    var text: String { String(format: "%.3f s, %.3f s, %.3f s", server, postgres, sink) }
}
