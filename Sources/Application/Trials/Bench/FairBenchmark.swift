import Foundation
import Logging
import MailSink

/// How long a small campaign takes while a large one is under way: of another account, and of the same.
struct FairBenchmark {
    let scenario: Scenario
    /// Recipients of the small campaigns.
    let small: Int
    let logger: Logger

    struct Result: BenchReport {
        let scenario: Scenario
        let machine: Machine
        let smallRecipients: Int
        let otherAccount: Wait
        let sameAccount: Wait
        /// Copies of the large campaign, a second, while the small ones waited.
        let largePerSecond: Double
        let curves: [RateCurve]

        var title: String { "Fairness: \(smallRecipients) recipients beside \(grouped(scenario.messages))" }

        var table: String {
            var table = TextTable(header: ["", "first copy", "last copy", "completed"], rightAligned: [1, 2, 3])
            for (name, wait) in [("of another account", otherAccount), ("of the same account", sameAccount)] {
                table.add(
                    name, String(format: "%.2f s", wait.firstCopySeconds),
                    String(format: "%.2f s", wait.lastCopySeconds), String(format: "%.2f s", wait.completedSeconds))
            }
            return """
                \(smallRecipients) recipients, sent while \(grouped(scenario.messages)) are under way \
                at \(grouped(Int(largePerSecond)))/s

                \(table.text)

                \(scenario.text)
                \(machine.text)
                """
        }

        enum CodingKeys: CodingKey {
            case scenario, machine, smallRecipients, otherAccount, sameAccount, largePerSecond, curves
        }
    }

    /// Seconds since the call that sends.
    struct Wait: Encodable {
        let firstCopySeconds, lastCopySeconds, completedSeconds: Double
    }

    func run() async throws -> Result {
        let machine = Machine()
        var options = Rig.Options(credits: Int64(scenario.messages + scenario.warmUp + small))
        options.verifyShare = 0
        options.keepsLog = true
        options.sink = scenario.sinkArguments
        options.sites = scenario.sites
        options.settings = [.connections: String(scenario.connections)]
        let rig = try await Rig.start(options, logger: logger)
        do {
            return try await measure(rig, machine)
        } catch {
            _ = try? await rig.stop()
            throw error
        }
    }

    private struct Sent {
        let startedAt: Int64
        let completedAt: Int64
    }

    private func measure(_ rig: Rig, _ machine: Machine) async throws -> Result {
        let first = Rig.Tenant(domain: rig.domain, client: rig.client)
        let second = try await rig.addTenant("second", domain: "club.example.com", credits: Int64(small))
        try await first.client.warmUp(scenario, from: first.domain)
        let large = try await first.client.draft(scenario, scenario.messages, from: first.domain).path
        let beside = try await draft(second, "member")
        let own = try await draft(first, "guest")

        let startedAt = SinkLog.milliseconds()
        _ = try await first.client.post(large + "/send", as: APIClient.Campaign.self)
        try await Task.sleep(for: .seconds(2))
        let other = try await send(beside, second)
        let same = try await send(own, first)
        let campaign = try await first.client.get(large, as: APIClient.Campaign.self)
        guard !campaign.isOver else { throw RigError(problem: "the large campaign ended too early: give it more") }
        _ = try await first.client.post(large + "/cancel", as: APIClient.Campaign.self)
        let arrivals = try await rig.stopAndReadLog().arrivals.since(startedAt)
        let between = arrivals.filter { !$0.hasPrefix("member") && !$0.hasPrefix("guest") }
            .copies.count { (other.startedAt..<same.completedAt).contains($0.milliseconds) }
        return Result(
            scenario: scenario, machine: machine.atEnd, smallRecipients: small,
            otherAccount: try wait(other, "member", arrivals), sameAccount: try wait(same, "guest", arrivals),
            largePerSecond: Double(between) * 1_000 / Double(max(1, same.completedAt - other.startedAt)),
            curves: [
                arrivals.filter { $0.hasPrefix("reader") }.curve("large", since: startedAt),
                arrivals.filter { $0.hasPrefix("member") }.curve("small, other account", since: startedAt),
                arrivals.filter { $0.hasPrefix("guest") }.curve("small, same account", since: startedAt),
            ])
    }

    /// A small campaign to recipients whose local parts tell it from others.
    private func draft(_ tenant: Rig.Tenant, _ localPart: String) async throws -> String {
        let campaign = try await tenant.client.post(
            "/v1/campaigns", json: scenario.campaign(from: tenant.domain), as: APIClient.Campaign.self)
        let path = "/v1/campaigns/\(campaign.id)"
        _ = try await tenant.client.upload(
            path + "/recipients", chunks: scenario.recipients(small, localPart: localPart),
            contentType: "application/x-ndjson")
        return path
    }

    private func send(_ path: String, _ tenant: Rig.Tenant) async throws -> Sent {
        let startedAt = SinkLog.milliseconds()
        _ = try await tenant.client.post(path + "/send", as: APIClient.Campaign.self)
        _ = try await tenant.client.waitForEnd(path, every: .milliseconds(20))
        return Sent(startedAt: startedAt, completedAt: SinkLog.milliseconds())
    }

    private func wait(_ sent: Sent, _ localPart: String, _ arrivals: Arrivals) throws -> Wait {
        let copies = arrivals.filter { $0.hasPrefix(localPart) }.copies
        guard copies.count >= small, let first = copies.first, let last = copies.last else {
            throw RigError(problem: "\(copies.count) of the small campaign's \(small) messages came")
        }
        func seconds(_ milliseconds: Int64) -> Double { Double(milliseconds - sent.startedAt) / 1_000 }
        return Wait(
            firstCopySeconds: seconds(first.milliseconds), lastCopySeconds: seconds(last.milliseconds),
            completedSeconds: seconds(sent.completedAt))
    }
}
