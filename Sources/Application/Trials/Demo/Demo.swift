import CreditLedger
import Foundation
import Logging
import NIOHTTP1
import OperatorAPI
import Postgres

/// The story that `sluice demo` plays.
struct Demo {
    let recipients: Int
    let logger: Logger
    let isQuiet: Bool

    private static let spareCredits = 500

    func run() async throws -> DemoResult {
        say("Starting a private PostgreSQL, a server and a sink …")
        var options = Rig.Options(credits: Int64(recipients + Self.spareCredits))
        options.sink = ["--bounce-share", "0.03", "--defer-share", "0.05", "--starttls", "--seed", "7"]
        // A few of the sink's refusals blame the sender. A server tries such mail for hours; the story has seconds.
        options.settings = [.blockAttempts: "1"]
        let rig = try await Rig.start(options, logger: logger)
        do {
            let result = try await play(on: rig)
            return result
        } catch {
            _ = try? await rig.stop()
            throw error
        }
    }

    private func play(on rig: Rig) async throws -> DemoResult {
        let client = rig.client
        let suppressed = max(3, recipients / 400)
        try await suppress(suppressed, client)
        let before = try await client.get("/v1/credits", as: APIClient.Balance.self)

        let campaign =
            try await client.post("/v1/campaigns", json: Self.campaign(rig.domain), key: "demo-create")
            as APIClient.Campaign
        let path = "/v1/campaigns/\(campaign.id)"
        let importStart = ContinuousClock.now
        let report = try await client.upload(
            path + "/recipients", chunks: DemoRecipients(count: recipients), contentType: "application/x-ndjson",
            key: "demo-recipients")
        let importSeconds = (ContinuousClock.now - importStart).inSeconds
        let quote = try await client.get(path + "/quote", as: APIClient.Quote.self)
        say(
            "\(grouped(report.accepted)) recipients stored, \(report.suppressed) of them suppressed; the campaign costs \(grouped(quote.credits)) credits."
        )

        let usage = Usage(rig)
        let start = ContinuousClock.now
        let sent = try await client.post(path + "/send", key: "demo-send", as: APIClient.Campaign.self)
        let held = sent.credits.held
        let over = try await watch(path, client)
        let seconds = (ContinuousClock.now - start).inSeconds
        let spent = usage.since(rig)

        let certificate = try await client.text(.GET, path + "/certificate")
        let after = try await client.get("/v1/credits", as: APIClient.Balance.self)
        let verification = try await rig.records.pool.withConnection { [ledger = rig.records.ledger] in
            try await ledger.verify(on: $0)
        }
        let totals = try await rig.stop()
        var result = DemoResult(
            recipients: recipients, campaign: over, importSeconds: importSeconds, seconds: seconds,
            before: before, heldAtSend: held, after: after, sink: totals, usage: spent, certificate: certificate,
            ledgerAccounts: verification.accounts, ledgerEntries: verification.entries)
        result.check(suppressed: suppressed, ledgerProblems: verification.problems)
        return result
    }

    private func suppress(_ count: Int, _ client: APIClient) async throws {
        let addresses = (0..<count).map { "\"" + DemoRecipients.address($0 * 37 % recipients) + "\"" }
        _ = try await client.text(
            .POST, "/v1/suppressions",
            json: #"{"addresses":[\#(addresses.joined(separator: ","))],"note":"left long ago"}"#)
    }

    private func watch(_ path: String, _ client: APIClient) async throws -> APIClient.Campaign {
        let bar = isQuiet ? nil : ProgressBar("Sending")
        var campaign = try await client.get(path, as: APIClient.Campaign.self)
        while !campaign.isOver {
            let counters = campaign.counters
            bar?.update(
                counters.final, of: counters.recipients,
                note:
                    "\(grouped(counters.delivered)) delivered, \(counters.bounced) bounced, \(counters.deferred) waiting"
            )
            try await Task.sleep(for: .milliseconds(100))
            campaign = try await client.get(path)
        }
        bar?.finish(campaign.counters.final, of: campaign.counters.recipients)
        return campaign
    }

    private func say(_ text: String) {
        if !isQuiet { StandardOutput.note(text) }
    }

    static func campaign(_ domain: String) -> String {
        let html = """
            <html><body><h1>Hello {{name|friend}}</h1><p>The library in {{city}} has put {{points}} points on your card.\
            {{#field2}} You chose {{field2}} and {{field3}}.{{/field2}}</p>\
            <p>Grüße, the library · <a href=\\"{{unsubscribe_url}}\\">no more of these</a></p></body></html>
            """
        let text = "Hello {{name|friend}},\\n\\nthe library in {{city}} has put {{points}} points on your card.\\n"
        return """
            {"from":"City Library <news@\(domain)>","subject":"{{name|Friend}}, your {{points}} points",\
            "html":"\(html)","text":"\(text)"}
            """
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

/// CPU seconds of the parts, between two moments.
struct Usage: Encodable {
    var server: Double
    var postgres: Double
    var sink: Double

    init(server: Double, postgres: Double, sink: Double) {
        self.server = server
        self.postgres = postgres
        self.sink = sink
    }

    init(_ rig: Rig) {
        server = ProcessUsage.cpuSeconds()
        postgres = rig.postgresCPUSeconds
        sink = rig.sinkCPUSeconds
    }

    func since(_ rig: Rig) -> Usage {
        var spent = Usage(rig)
        spent.server -= server
        spent.postgres -= postgres
        spent.sink -= sink
        return spent
    }
}
