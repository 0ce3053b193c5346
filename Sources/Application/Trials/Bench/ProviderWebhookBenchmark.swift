import AsyncHTTPClient
import Foundation
import Logging
import MailTypes
import NIOCore
import OperatorAPI
import ProviderWebhooks
import Vault

/// SendGrid's reports in batches over HTTP on loopback: signatures checked, committed, then worked off to suppressions.
struct ProviderWebhookBenchmark {
    let events: Int
    let perBody: Int
    let connections: Int
    let logger: Logger

    struct Result: BenchReport {
        let machine: Machine
        let events, perBody, connections, bytes: Int
        let takenSeconds, takenPerSecond: Double
        let doneSeconds, donePerSecond: Double
        let cpuSecondsPerThousand: Double

        var title: String { "Webhooks of a provider: \(grouped(events)) events" }
        var curves: [RateCurve] { [] }

        var table: String {
            var table = TextTable()
            table.add(
                "events",
                "\(grouped(events)) in bodies of \(grouped(perBody)), \(grouped(bytes)) bytes each event, "
                    + "\(connections) connections")
            table.add("taken: signature checked, committed", "\(grouped(Int(takenPerSecond)))/s")
            table.add("worked off: each recipient found, noted, suppressed", "\(grouped(Int(donePerSecond)))/s")
            table.add("CPU of the server and its client for 1,000", String(format: "%.3f s", cpuSecondsPerThousand))
            table.add("machine", machine.text)
            return table.text
        }
    }

    func run() async throws -> Result {
        let machine = Machine()
        let rig = try await Rig.start(Rig.Options(credits: 1), logger: logger)
        do {
            let result = try await measure(rig, machine)
            _ = try? await rig.stop()
            return result
        } catch {
            _ = try? await rig.stop()
            throw error
        }
    }

    private func measure(_ rig: Rig, _ machine: Machine) async throws -> Result {
        let specimen = try ProviderSpecimen(.sendgrid)
        let (id, secret) = try await rig.records.providerSources.add(
            .sendgrid, name: "bench", material: specimen.material)
        let requests = try await requests(specimen, rig)
        try await Task.sleep(for: .seconds(ProviderLimits.bookSeconds + 1))
        let address = rig.client.base + "/v1/feedback/sendgrid/" + secret.text.exposed
        let cpu = ProcessUsage.cpuSeconds()
        let start = ContinuousClock.now
        try await send(requests, to: address)
        let taken = (ContinuousClock.now - start).inSeconds
        while true {
            guard let source = try await rig.records.providerSources.list().first(where: { $0.id == id }) else {
                throw RigError(problem: "the source is gone")
            }
            if source.noted == Int64(events) { break }
            guard ContinuousClock.now - start < .seconds(600) else {
                throw RigError(problem: "only \(source.noted) of \(events) events were worked off")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        let done = (ContinuousClock.now - start).inSeconds
        return Result(
            machine: machine.atEnd, events: events, perBody: perBody, connections: connections,
            bytes: requests.reduce(0) { $0 + $1.body.count } / max(1, events), takenSeconds: taken,
            takenPerSecond: Double(events) / taken, doneSeconds: done, donePerSecond: Double(events) / done,
            cpuSecondsPerThousand: (ProcessUsage.cpuSeconds() - cpu) * 1_000 / Double(events))
    }

    /// Signed before the measurement: that is the provider's work.
    private func requests(_ specimen: ProviderSpecimen, _ rig: Rig) async throws -> [ProviderSpecimen.Request] {
        let keys = try await rig.records.vault.accountKeys(rig.account)
        let campaign = CampaignID(rawValue: 1)
        let tokens = try (0..<events).map { number in
            RecipientToken(
                account: rig.account, campaign: campaign,
                fingerprint: keys.fingerprinter.fingerprint(try EmailAddress("reader\(number)@example.org"))
            ).text(signedWith: keys)
        }
        let now = Int64(Date().timeIntervalSince1970)
        return try stride(from: 0, to: events, by: perBody).map { first in
            try specimen.hardBounces(Array(tokens[first..<min(first + perBody, events)]), now: now)
        }
    }

    private func send(_ requests: [ProviderSpecimen.Request], to address: String) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<connections {
                group.addTask {
                    for index in stride(from: lane, to: requests.count, by: connections) {
                        // A busy server is asked again, as a provider does, only sooner.
                        while true {
                            let (status, code) = try await ProviderTrial.post(requests[index], to: address)
                            if status == 200 { break }
                            guard status == 503 || status == 429 else {
                                throw RigError(problem: "the server answered \(status) \(code)")
                            }
                            try await Task.sleep(for: .milliseconds(100))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
