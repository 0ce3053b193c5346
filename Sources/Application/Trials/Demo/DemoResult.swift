import Foundation
import MailSink

/// What a demo measured, and whether it adds up.
struct DemoResult {
    let recipients: Int
    let campaign: APIClient.Campaign
    let importSeconds: Double
    let seconds: Double
    let before: APIClient.Balance
    let heldAtSend: Int64
    let after: APIClient.Balance
    let sink: SinkTotals
    let usage: Usage
    let certificate: String
    let ledgerAccounts: Int
    let ledgerEntries: Int
    private(set) var problems: [String] = []

    init(
        recipients: Int, campaign: APIClient.Campaign, importSeconds: Double, seconds: Double,
        before: APIClient.Balance, heldAtSend: Int64, after: APIClient.Balance, sink: SinkTotals, usage: Usage,
        certificate: String, ledgerAccounts: Int, ledgerEntries: Int
    ) {
        self.recipients = recipients
        self.campaign = campaign
        self.importSeconds = importSeconds
        self.seconds = seconds
        self.before = before
        self.heldAtSend = heldAtSend
        self.after = after
        self.sink = sink
        self.usage = usage
        self.certificate = certificate
        self.ledgerAccounts = ledgerAccounts
        self.ledgerEntries = ledgerEntries
    }

    /// Compares each figure with one that was counted elsewhere: by the sink, the ledger, or the demo itself.
    mutating func check(suppressed: Int, ledgerProblems: [String]) {
        let counters = campaign.counters
        func expect(_ holds: Bool, _ problem: @autoclosure () -> String) {
            if !holds { problems.append(problem()) }
        }
        problems = ledgerProblems.map { "ledger: \($0)" }
        expect(campaign.state == "completed", "the campaign ended as \(campaign.state)")
        expect(counters.recipients == recipients, "\(counters.recipients) of \(recipients) recipients are counted")
        expect(counters.final == recipients, "\(counters.final) recipients have an outcome")
        expect(counters.pending == 0 && counters.deferred == 0, "recipients are left over")
        expect(counters.suppressed == suppressed, "\(counters.suppressed) suppressed, \(suppressed) expected")
        expect(counters.bounced > 0, "nothing bounced")
        expect(sink.temporary > 0, "nothing was deferred")
        expect(counters.delivered == sink.recipients, "the sink took \(sink.recipients) recipients' mail")
        expect(
            sink.copies - sink.recipients <= counters.inDoubtResent + counters.inDoubt,
            "\(sink.copies - sink.recipients) more copies than recipients, beyond those in doubt")
        expect(
            sink.dkimPass == sink.copies && sink.dkimFail == 0, "\(sink.dkimPass) signatures of \(sink.copies) verify")
        expect(heldAtSend == Int64(recipients - suppressed), "\(heldAtSend) credits were held")
        expect(campaign.credits.charged == Int64(counters.delivered), "charged \(campaign.credits.charged)")
        expect(
            campaign.credits.charged + campaign.credits.released == heldAtSend && campaign.credits.held == 0,
            "charged and released are not what was held")
        expect(after.posted == before.posted - campaign.credits.charged && after.held == 0, "the balance is off")
    }

    var messagesPerSecond: Double { Double(sink.copies) / seconds }

    /// CPU milliseconds a message, of server and PostgreSQL together.
    var cpuMilliseconds: Double { (usage.server + usage.postgres) * 1_000 / Double(max(1, sink.copies)) }

    var table: String {
        let counters = campaign.counters
        var outcomes = TextTable(rightAligned: [1])
        outcomes.add("recipients", grouped(counters.recipients))
        for (name, count) in [
            ("delivered", counters.delivered), ("bounced", counters.bounced), ("expired", counters.expired),
            ("suppressed", counters.suppressed), ("invalid", counters.invalid), ("in doubt", counters.inDoubt),
        ] {
            outcomes.add("  " + name, grouped(count))
        }
        outcomes.add("deferred, then retried", grouped(sink.temporary))
        outcomes.add("copies at the sink", grouped(sink.copies))
        outcomes.add("verified by libopendkim", grouped(sink.dkimPass))
        var credits = TextTable(rightAligned: [1])
        credits.add("before", grouped(before.available))
        credits.add("held", grouped(heldAtSend))
        credits.add("charged", grouped(campaign.credits.charged))
        credits.add("released", grouped(campaign.credits.released))
        credits.add("after", grouped(after.available))
        var speed = TextTable(rightAligned: [1])
        speed.add("import", "\(grouped(Int(Double(recipients) / importSeconds))) recipients/s")
        speed.add("delivery", "\(grouped(Int(messagesPerSecond))) messages/s, \(String(format: "%.1f", seconds)) s")
        speed.add("CPU a message", String(format: "%.2f ms", cpuMilliseconds))
        let verdict =
            problems.isEmpty
            ? "Everything adds up." : "It does not add up:\n" + problems.map { "  " + $0 }.joined(separator: "\n")
        return """

            Outcomes
            \(outcomes.text)

            Credits
            \(credits.text)

            Speed (RSA-2048, STARTTLS, durable; server, PostgreSQL and a verifying sink share this machine)
            \(speed.text)

            Purge certificate
            \(certificate)

            Ledger: \(ledgerEntries) entries of \(ledgerAccounts) account recomputed, \(problems.isEmpty ? "no difference" : "see below").

            \(verdict)
            """
    }

    func json() throws -> String {
        struct Document: Encodable {
            let adds_up: Bool
            let problems: [String]
            let recipients, delivered, bounced, suppressed, copies, dkim_verified: Int
            let credits_before, credits_held, credits_charged, credits_released, credits_after: Int64
            let import_per_second, messages_per_second, cpu_ms_per_message: Double
        }
        let counters = campaign.counters
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return String(
            decoding: try encoder.encode(
                Document(
                    adds_up: problems.isEmpty, problems: problems, recipients: counters.recipients,
                    delivered: counters.delivered, bounced: counters.bounced, suppressed: counters.suppressed,
                    copies: sink.copies, dkim_verified: sink.dkimPass, credits_before: before.available,
                    credits_held: heldAtSend, credits_charged: campaign.credits.charged,
                    credits_released: campaign.credits.released, credits_after: after.available,
                    import_per_second: Double(recipients) / importSeconds, messages_per_second: messagesPerSecond,
                    cpu_ms_per_message: cpuMilliseconds)), as: UTF8.self)
    }
}
