import Foundation
import Logging
import OperatorAPI

/// Recipients uploaded over HTTP, sealed and committed.
struct ImportBenchmark {
    let scenario: Scenario
    let runs: Int
    /// Other accounts that upload all the while, in further runs.
    let neighbours: Int
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
        let beside: Beside?

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
            if let beside {
                table.add(
                    "beside \(beside.uploads) other accounts' uploads",
                    beside.perSecond.map { "\(grouped(Int($0)))/s" }.joined(separator: ", "))
                table.add("all of them together", "\(grouped(Int(beside.togetherPerSecond)))/s")
            }
            table.add("machine", machine.text)
            return table.text
        }
    }

    /// The same uploads while those of other accounts are under way.
    struct Beside: Encodable {
        let uploads: Int
        /// Of each run, in their order.
        let perSecond: [Double]
        /// Recipients of all accounts.
        let togetherPerSecond: Double
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
            ProcessUsage.resetPeakMemory()
            let rates = try await rates(of: Rig.Tenant(domain: rig.domain, client: rig.client))
            let count = scenario.messages * runs
            let result = Result(
                scenario: scenario, machine: machine.atEnd, perSecond: rates,
                cpuSecondsPerThousand: CPUShares(usage.since(rig), per: count),
                walBytesPerRecipient: Double(try await rig.walBytes() - wal) / Double(count),
                peakMemoryBytes: ProcessUsage.memory().peak, beside: neighbours > 0 ? try await beside(rig) : nil)
            try await rig.stop()
            return result
        } catch {
            _ = try? await rig.stop()
            throw error
        }
    }

    private func beside(_ rig: Rig) async throws -> Beside {
        var tenants: [Rig.Tenant] = []
        for number in 1...neighbours {
            tenants.append(
                try await rig.addTenant("neighbour \(number)", domain: "club\(number).example.com", credits: 1))
        }
        let start = ContinuousClock.now
        let perSecond = try await withThrowingTaskGroup(of: Void.self) { group in
            for tenant in tenants { group.addTask { _ = try await rates(of: tenant) } }
            let own = try await rates(of: Rig.Tenant(domain: rig.domain, client: rig.client))
            try await group.waitForAll()
            return own
        }
        let count = scenario.messages * runs * (neighbours + 1)
        return Beside(
            uploads: neighbours, perSecond: perSecond,
            togetherPerSecond: Double(count) / (ContinuousClock.now - start).inSeconds)
    }

    /// Recipients a second of each of an account's uploads, one after the other.
    private func rates(of tenant: Rig.Tenant) async throws -> [Double] {
        var rates: [Double] = []
        for _ in 0..<runs {
            let draft = try await tenant.client.draft(scenario, scenario.messages, from: tenant.domain)
            rates.append(Double(scenario.messages) / draft.importSeconds)
        }
        return rates
    }
}
