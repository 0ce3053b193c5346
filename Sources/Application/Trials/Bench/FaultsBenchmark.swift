import Foundation
import Logging

/// What receivers that bounce, defer, dawdle and break off cost, against receivers that take everything.
struct FaultsBenchmark {
    let scenario: Scenario
    let logger: Logger

    struct Result: BenchReport {
        let healthy: DeliverBenchmark.Result
        let faulty: DeliverBenchmark.Result

        var title: String { "Faults: \(grouped(faulty.scenario.messages)) messages" }

        var curves: [RateCurve] {
            [healthy, faulty].map {
                RateCurve(
                    name: $0.scenario.faults.deferShare > 0 ? "with faults" : "without faults",
                    stepSeconds: $0.rates.stepSeconds, rates: $0.rates.rates)
            }
        }

        var table: String {
            let faults = faulty.scenario.faults
            var table = TextTable(header: ["", "without faults", "with faults"], rightAligned: [1, 2])
            func add(_ name: String, _ value: (DeliverBenchmark.Result) -> String) {
                table.add(name, value(healthy), value(faulty))
            }
            add("send to completion") { String(format: "%.1f s", $0.deliverySeconds) }
            add("steady at the sink") { "\(grouped(Int($0.steadyPerSecond ?? 0)))/s" }
            add("CPU for 1,000 copies, server") { String(format: "%.3f s", $0.cpuSecondsPerThousand.server) }
            add("CPU for 1,000 copies, PostgreSQL") { String(format: "%.3f s", $0.cpuSecondsPerThousand.postgres) }
            add("WAL a message") { "\(grouped(Int($0.walBytesPerMessage))) bytes" }
            add("delivered") { grouped($0.delivered) }
            add("bounced") { grouped($0.bounced) }
            add("deferrals") { grouped($0.deferrals) }
            add("in doubt") { grouped($0.inDoubt) }
            add("second copies") { grouped($0.duplicates) }
            return """
                \(grouped(faulty.scenario.messages)) recipients: \(percent(faults.bounceShare)) bounce, \
                \(percent(faults.deferShare)) are put off once, \(percent(faults.slowShare)) are answered half a second \
                late, \(percent(faults.dropShare)) get no answer to the final dot

                \(table.text)

                \(faulty.scenario.text)
                \(faulty.machine.text)
                """
        }

        private func percent(_ share: Double) -> String { String(format: "%.3g %%", share * 100) }
    }

    func run() async throws -> Result {
        var healthy = scenario
        healthy.faults = Scenario.Faults()
        return Result(
            healthy: try await DeliverBenchmark(scenario: healthy, logger: logger).run(),
            faulty: try await DeliverBenchmark(scenario: scenario, logger: logger).run())
    }
}
