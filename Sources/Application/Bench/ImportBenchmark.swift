import Foundation
import Logging

/// Recipients uploaded over HTTP, sealed and committed.
struct ImportBenchmark {
    let scenario: Scenario
    let runs: Int
    let logger: Logger

    struct Result: BenchReport {
        let scenario: Scenario
        let machine: Machine
        let durable = true
        /// Of each run, in their order.
        let perSecond: [Double]
        let cpuSecondsPerThousand: CPUShares
        let walBytesPerRecipient: Double
        let peakMemoryBytes: Int

        var title: String { "Import: \(grouped(scenario.messages)) recipients" }
        var curves: [RateCurve] { [RateCurve(name: "recipients/s of each run", stepSeconds: 1, rates: perSecond)] }

        var table: String {
            var table = TextTable()
            table.add("recipients", "\(grouped(scenario.messages)), \(scenario.fields) fields, NDJSON")
            table.add("rate of each run", perSecond.map { "\(grouped(Int($0)))/s" }.joined(separator: ", "))
            table.add(
                "CPU for 1,000: server, PostgreSQL",
                String(
                    format: "%.1f ms, %.1f ms", cpuSecondsPerThousand.server * 1_000,
                    cpuSecondsPerThousand.postgres * 1_000))
            table.add("WAL a recipient", "\(grouped(Int(walBytesPerRecipient))) bytes")
            table.add("peak memory of the server", "\(grouped(peakMemoryBytes / 1_048_576)) MiB")
            table.add("machine", machine.text)
            return table.text
        }
    }

    func run() async throws -> Result {
        let machine = Machine()
        var options = Rig.Options(credits: 1)
        options.verifyShare = 0
        let rig = try await Rig.start(options, logger: logger)
        do {
            if scenario.warmUp > 0 { _ = try await rig.client.draft(scenario, scenario.warmUp, from: rig.domain) }
            let usage = Usage(rig)
            let wal = try await rig.walBytes()
            CPUTime.resetPeakMemory()
            var rates: [Double] = []
            for _ in 0..<runs {
                let draft = try await rig.client.draft(scenario, scenario.messages, from: rig.domain)
                rates.append(Double(scenario.messages) / draft.importSeconds)
            }
            let count = scenario.messages * runs
            let result = Result(
                scenario: scenario, machine: machine.atEnd, perSecond: rates,
                cpuSecondsPerThousand: CPUShares(usage.since(rig), per: count),
                walBytesPerRecipient: Double(try await rig.walBytes() - wal) / Double(count),
                peakMemoryBytes: CPUTime.memory().peak)
            try await rig.stop()
            return result
        } catch {
            _ = try? await rig.stop()
            throw error
        }
    }
}
