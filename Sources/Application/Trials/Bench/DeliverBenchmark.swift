import Foundation
import Logging
import MailSigning
import MailSink
import OperatorAPI

/// One campaign, or one of each of several accounts at once, from upload to purge against a sink on this machine, durable
/// and metered.
struct DeliverBenchmark {
    let scenario: Scenario
    let logger: Logger

    /// What was measured, with all that is needed to compare it.
    struct Result: BenchReport {
        let scenario: Scenario
        fileprivate(set) var machine: Machine
        let durable = true
        let messageBytes: Int
        let importPerSecond: Double
        let importWALBytes: Double
        /// From the call that sends to the campaign's completion.
        let deliverySeconds: Double
        let messagesPerSecond: Double
        /// At the sink, without the first and the last tenth.
        let steadyPerSecond: Double?
        let cpuSecondsPerThousand: CPUShares
        let walBytesPerMessage: Double
        /// What signed, and how many signatures it made together.
        let signer: String
        let signing: SigningCounts
        let filledLanes: Double?
        let peakMemoryBytes: Int
        /// How even the run was.
        let tenths: Tenths
        /// Open at the sink at once.
        let mostConnections: Int
        /// From the call that sends to the first copy at the sink.
        let firstCopyMilliseconds: Double?
        /// From the call that sends to each copy: the last one's is the campaign's duration.
        let latency: LatencyHistogram.Summary
        let delivered, bounced, deferrals, copies, duplicates, inDoubt: Int
        /// From the campaign's completion to the last event at the webhook; nil without one.
        var eventsLateSeconds: Double?
        let rates: RateCurve
        /// The same mail over the same client without the engine, measured just before.
        var bare: BareBenchmark.Result?
        var shareOfBare: Double? {
            guard let bare = bare?.steadyPerSecond, let steadyPerSecond else { return nil }
            return steadyPerSecond / bare
        }

        var title: String { "Delivery: \(grouped(scenario.messages)) messages of \(grouped(messageBytes)) bytes" }
        var curves: [RateCurve] { [rates] + (bare.map { [$0.rates] } ?? []) }

        var table: String {
            var table = TextTable()
            table.add("recipients", grouped(scenario.messages))
            table.add("message", "\(grouped(messageBytes)) bytes, \(scenario.text), durable")
            table.add("import", "\(grouped(Int(importPerSecond)))/s")
            table.add(
                "delivery, send to completion",
                "\(grouped(Int(messagesPerSecond)))/s over \(String(format: "%.1f", deliverySeconds)) s")
            if let steadyPerSecond { table.add("delivery, steady at the sink", "\(grouped(Int(steadyPerSecond)))/s") }
            if let bare, let bareRate = bare.steadyPerSecond, let shareOfBare {
                table.add("same mail without the engine", "\(grouped(Int(bareRate)))/s")
                table.add("delivery as a share of that", String(format: "%.0f %%", shareOfBare * 100))
            }
            if let firstCopyMilliseconds {
                table.add("send to the first copy", LatencyHistogram.Summary.text(firstCopyMilliseconds))
            }
            table.add("send to a copy, median / 99 % / last", latency.text)
            table.add("CPU for 1,000: server, PostgreSQL, sink", cpuSecondsPerThousand.text)
            table.add("signer", signer)
            table.add(signing)
            table.add("WAL a message", "\(grouped(Int(walBytesPerMessage))) bytes")
            table.add("WAL a recipient, import", "\(grouped(Int(importWALBytes))) bytes")
            table.add("peak memory of the server", "\(grouped(peakMemoryBytes / 1_048_576)) MiB")
            if !tenths.memoryBytes.isEmpty {
                func row(_ cells: [String]) -> String { cells.joined(separator: " ") }
                table.add("by tenths: messages a second", row(tenths.messagesPerSecond.map { grouped(Int($0)) }))
                func seconds(_ values: [Double]) -> String { row(values.map { String(format: "%.3f", $0) }) }
                table.add("by tenths: CPU for 1,000, server", seconds(tenths.cpuSecondsPerThousand))
                table.add("by tenths: CPU for 1,000, sink", seconds(tenths.sinkCPUSecondsPerThousand))
                table.add("by tenths: MiB of the server", row(tenths.memoryBytes.map { grouped($0 / 1_048_576) }))
            }
            table.add("connections at the sink, at most", grouped(mostConnections))
            table.add("copies at the sink", "\(grouped(copies)), \(grouped(duplicates)) of them second ones")
            if bounced + deferrals + inDoubt > 0 {
                table.add("bounced, deferrals, in doubt", "\(grouped(bounced)), \(grouped(deferrals)), \(inDoubt)")
            }
            if let eventsLateSeconds {
                table.add(
                    "webhook told of all, after the completion", String(format: "%.1f s", eventsLateSeconds))
            }
            table.add("machine", machine.text)
            return table.text
        }

        enum CodingKeys: String, CodingKey {
            case scenario, machine, durable, messageBytes, importPerSecond, importWALBytes, deliverySeconds
            case messagesPerSecond, steadyPerSecond, cpuSecondsPerThousand, walBytesPerMessage, peakMemoryBytes,
                tenths, mostConnections, signer, signing, filledLanes
            case firstCopyMilliseconds, latency, delivered, bounced, deferrals, copies, duplicates, inDoubt, rates,
                bare,
                eventsLateSeconds
        }
    }

    func run() async throws -> Result {
        let machine = Machine()
        var options = Rig.Options(credits: Int64(scenario.messages + scenario.warmUp))
        options.algorithms = scenario.key.algorithms
        options.verifyShare = 0
        options.sink = scenario.sinkArguments
        options.keepsLog = true
        options.sites = scenario.sites
        options.providerConnections = scenario.providerConnections
        options.settings = scenario.signerSettings
        options.settings[.connections] = String(scenario.connections)
        if scenario.webhook { options.settings[.allowPrivateDestinations] = "true" }
        let rig = try await Rig.start(options, logger: logger)
        do {
            return try await measure(rig, machine)
        } catch {
            _ = try? await rig.stop()
            throw error
        }
    }

    private func measure(_ rig: Rig, _ machine: Machine) async throws -> Result {
        let client = rig.client
        let told = scenario.webhook ? try await ToldEvents(rig) : nil
        try await client.warmUp(scenario, from: rig.domain)
        let walAtImport = try await rig.walBytes()
        let drafts = try await drafts(on: rig)
        let importSeconds = drafts.reduce(0) { $0 + $1.importSeconds }

        let signedBefore = try rig.signing.counts
        let usage = Usage(rig)
        let walAtSend = try await rig.walBytes()
        ProcessUsage.resetPeakMemory()
        let start = ContinuousClock.now
        let sentAt = SinkLog.milliseconds()
        let course = ServerCourse(rig)
        for draft in drafts { _ = try await draft.client.post(draft.path + "/send", as: APIClient.Campaign.self) }
        var counters: [APIClient.Campaign.Counters] = []
        for draft in drafts { counters.append(try await draft.client.waitForEnd(draft.path).counters) }
        let seconds = (ContinuousClock.now - start).inSeconds
        let spent = usage.since(rig)
        let signing = try rig.signing
        let signed = signing.counts - signedBefore
        let memory = ProcessUsage.memory().peak
        let looks = await course.stop()
        let walAtEnd = try await rig.walBytes()
        let eventsLate = try await told?.secondsUntil(scenario.messages + scenario.warmUp)
        let log = try await rig.stopAndReadLog()
        let arrivals = log.arrivals.since(sentAt)
        func sum(_ counter: (APIClient.Campaign.Counters) -> Int) -> Int { counters.reduce(0) { $0 + counter($1) } }
        try check(
            final: sum(\.final), delivered: sum(\.delivered), inDoubt: sum { $0.inDoubtResent + $0.inDoubt }, arrivals)
        let count = Double(scenario.messages)
        return Result(
            scenario: scenario, machine: machine.atEnd,
            messageBytes: log.totals.bytes / max(1, log.totals.messages),
            importPerSecond: count / importSeconds, importWALBytes: Double(walAtSend - walAtImport) / count,
            deliverySeconds: seconds, messagesPerSecond: Double(arrivals.copies.count) / seconds,
            steadyPerSecond: arrivals.steadyRate,
            cpuSecondsPerThousand: CPUShares(spent, per: arrivals.copies.count),
            walBytesPerMessage: Double(walAtEnd - walAtSend) / count,
            signer: signing.signer, signing: signed, filledLanes: signed.meanLanes, peakMemoryBytes: memory,
            tenths: Tenths(arrivals, since: sentAt, looks),
            mostConnections: log.totals.mostConnections,
            firstCopyMilliseconds: arrivals.copies.first.map { Double($0.milliseconds - sentAt) },
            latency: arrivals.latencies(since: sentAt).summary, delivered: sum(\.delivered),
            bounced: sum(\.bounced), deferrals: arrivals.deferrals.count, copies: arrivals.copies.count,
            duplicates: arrivals.duplicates,
            inDoubt: sum { $0.inDoubt + $0.inDoubtResent }, eventsLateSeconds: eventsLate,
            rates: arrivals.curve("Sluice", since: sentAt))
    }

    private struct Draft {
        let client: APIClient
        let path: String
        let importSeconds: Double
    }

    /// The campaigns that are measured, one of each account.
    private func drafts(on rig: Rig) async throws -> [Draft] {
        guard scenario.accounts > 1 else {
            let draft = try await rig.client.draft(scenario, scenario.messages, from: rig.domain)
            return [Draft(client: rig.client, path: draft.path, importSeconds: draft.importSeconds)]
        }
        var drafts: [Draft] = []
        for number in 0..<scenario.accounts {
            let count =
                scenario.messages * (number + 1) / scenario.accounts - scenario.messages * number / scenario.accounts
            let tenant = try await rig.addTenant(
                "account \(number)", domain: "news\(number).example.com", credits: Int64(count))
            let draft = try await tenant.client.draft(
                scenario, count, from: tenant.domain, localPart: "reader-\(number)-")
            drafts.append(Draft(client: tenant.client, path: draft.path, importSeconds: draft.importSeconds))
        }
        return drafts
    }

    /// A figure is only told of a run in which nothing was lost, and nothing sent twice without a record of doubt.
    private func check(final: Int, delivered: Int, inDoubt: Int, _ arrivals: Arrivals) throws {
        guard final == scenario.messages, scenario.faults.bounceShare > 0 || delivered == scenario.messages
        else { throw RigError(problem: "only \(delivered) of \(scenario.messages) were delivered") }
        guard arrivals.copies.count - arrivals.duplicates >= delivered else {
            throw RigError(problem: "the sink got fewer messages than were told as delivered")
        }
        guard arrivals.duplicates <= inDoubt else {
            throw RigError(problem: "\(arrivals.duplicates) second copies, beyond those in doubt")
        }
    }
}

extension SigningStatus {
    /// What signs, and why it is that.
    var signer: String { isBatch ? detail : "libcrypto, one by one: \(detail)" }
}

extension TextTable {
    /// How many lanes were filled, where there were passes.
    mutating func add(_ signing: SigningCounts) {
        guard let filledLanes = signing.meanLanes else { return }
        add(
            "filled lanes of 8, passes, one by one",
            String(format: "%.2f", filledLanes)
                + ", \(grouped(signing.passes.reduce(0, +))), \(grouped(signing.alone))")
        add("passes by filled lanes, 1 to 8", signing.passes.map(grouped).joined(separator: " "))
    }
}

extension Arrivals {
    /// Copies beyond the first of each recipient.
    var duplicates: Int { copies.count - Set(copies.map(\.recipient)).count }
}

extension APIClient {
    /// A campaign with its recipients, not sent yet.
    func draft(
        _ scenario: Scenario, _ count: Int, from domain: String, localPart: String? = nil
    ) async throws -> (path: String, importSeconds: Double) {
        let campaign = try await post("/v1/campaigns", json: scenario.campaign(from: domain), as: Campaign.self)
        let path = "/v1/campaigns/\(campaign.id)"
        let start = ContinuousClock.now
        let report = try await upload(
            path + "/recipients", chunks: scenario.recipients(count, localPart: localPart),
            contentType: "application/x-ndjson")
        guard report.accepted == count else { throw RigError(problem: "\(report.accepted) recipients accepted") }
        return (path, (ContinuousClock.now - start).inSeconds)
    }

    /// Sends a campaign to other recipients than those of the measurement: what bounces here is suppressed there.
    func warmUp(_ scenario: Scenario, from domain: String) async throws {
        guard scenario.warmUp > 0 else { return }
        let path = try await draft(scenario, scenario.warmUp, from: domain, localPart: "early").path
        _ = try await post(path + "/send", as: Campaign.self)
        _ = try await waitForEnd(path)
    }

    /// Asks every few hundredths of a second.
    func waitForEnd(_ path: String, every pause: Duration = .milliseconds(50)) async throws -> Campaign {
        var campaign = try await get(path, as: Campaign.self)
        while !campaign.isOver {
            try await Task.sleep(for: pause)
            campaign = try await get(path)
        }
        return campaign
    }
}
