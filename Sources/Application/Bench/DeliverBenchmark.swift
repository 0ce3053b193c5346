import Foundation
import Logging
import MailSigning

/// One campaign from upload to purge against a sink on this machine, durable and metered.
struct DeliverBenchmark {
    let recipients: Int
    let size: Int
    let fields: Int
    let algorithm: DKIMKey.Algorithm
    let tls: Bool
    let connections: Int
    let logger: Logger

    /// What was measured, with all that is needed to compare it.
    struct Result: Encodable {
        let recipients, messageBytes, fields, connections: Int
        let key: String
        let tls: Bool
        let durable = true
        let importSeconds, importPerSecond: Double
        let deliverySeconds, messagesPerSecond: Double
        let serverCPUMilliseconds, postgresCPUMilliseconds, sinkCPUMilliseconds: Double
        let peakMemoryBytes: Int
        let copies, duplicates: Int

        var table: String {
            var table = TextTable(rightAligned: [1])
            table.add("recipients", grouped(recipients))
            table.add(
                "message",
                "\(grouped(messageBytes)) bytes, \(fields) fields, \(key), \(tls ? "STARTTLS" : "plaintext"), durable")
            table.add("import", "\(grouped(Int(importPerSecond)))/s")
            table.add(
                "delivery", "\(grouped(Int(messagesPerSecond)))/s over \(String(format: "%.1f", deliverySeconds)) s")
            table.add("CPU a message, server", String(format: "%.3f ms", serverCPUMilliseconds))
            table.add("CPU a message, PostgreSQL", String(format: "%.3f ms", postgresCPUMilliseconds))
            table.add("CPU a message, sink", String(format: "%.3f ms", sinkCPUMilliseconds))
            table.add("peak memory of the server", "\(grouped(peakMemoryBytes / 1_048_576)) MiB")
            table.add("copies at the sink", grouped(copies))
            return table.text
        }
    }

    func run() async throws -> Result {
        var options = Rig.Options(credits: Int64(recipients))
        options.algorithms = [algorithm]
        options.verifyShare = 0
        options.sink = tls ? ["--starttls"] : []
        options.settings = ["connections": String(connections)]
        let rig = try await Rig.start(options, logger: logger)
        do {
            return try await measure(rig)
        } catch {
            _ = try? await rig.stop()
            throw error
        }
    }

    private func measure(_ rig: Rig) async throws -> Result {
        let client = rig.client
        let campaign = try await client.post(
            "/v1/campaigns", json: campaignJSON(rig.domain), as: APIClient.Campaign.self)
        let path = "/v1/campaigns/\(campaign.id)"
        let importStart = ContinuousClock.now
        let report = try await client.upload(
            path + "/recipients", chunks: DemoRecipients(count: recipients, variables: fields),
            contentType: "application/x-ndjson")
        let importSeconds = (ContinuousClock.now - importStart).inSeconds
        guard report.accepted == recipients else { throw RigError(problem: "\(report.accepted) recipients accepted") }

        let usage = Usage(rig)
        let start = ContinuousClock.now
        var status = try await client.post(path + "/send", as: APIClient.Campaign.self)
        while !status.isOver {
            try await Task.sleep(for: .milliseconds(50))
            status = try await client.get(path)
        }
        let seconds = (ContinuousClock.now - start).inSeconds
        let spent = usage.since(rig)
        let memory = CPUTime.memory().peak
        let totals = try await rig.stop()
        guard status.counters.delivered == recipients else {
            throw RigError(problem: "only \(status.counters.delivered) of \(recipients) were delivered")
        }
        let perMessage = 1_000 / Double(recipients)
        return Result(
            recipients: recipients, messageBytes: totals.bytes / max(1, totals.copies), fields: fields,
            connections: connections, key: algorithm.rawValue, tls: tls, importSeconds: importSeconds,
            importPerSecond: Double(recipients) / importSeconds, deliverySeconds: seconds,
            messagesPerSecond: Double(recipients) / seconds, serverCPUMilliseconds: spent.server * perMessage,
            postgresCPUMilliseconds: spent.postgres * perMessage, sinkCPUMilliseconds: spent.sink * perMessage,
            peakMemoryBytes: memory, copies: totals.copies, duplicates: totals.copies - totals.recipients)
    }

    /// Filler text around the merge fields, up to the size asked for.
    private func campaignJSON(_ domain: String) -> String {
        var html = "<html><body><h1>Hello {{name}}</h1><p>{{city}} {{points}}</p>"
        for number in 2..<fields { html += "<p>{{field\(number)}}</p>" }
        let sentence = "<p>The reading room opens at nine and closes when the last reader leaves for home.</p>"
        // Headers and signature take some 1,400 bytes.
        while html.utf8.count < size - 1_400 { html += sentence }
        html += "</body></html>"
        return """
            {"from":"City Library <news@\(domain)>","subject":"{{name}}, your points","html":"\(html)"}
            """
    }
}
