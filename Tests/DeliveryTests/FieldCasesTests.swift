import Campaigns
import CreditLedger
import Delivery
import Feedback
import MailTypes
import SMTPProtocol
import TestSupport
import Testing
import TrafficShaping

/// The cases of `fixtures/receivers`, with a real engine: how servers answer, and how a campaign to them must end.
struct FieldCasesTests {
    static let scripts = Fixtures.all("receivers").map { fixture in
        do {
            return try ReceiverScript(fixture)
        } catch {
            preconditionFailure("\(error)")
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: scripts)
    func `a receiver's case ends as its file says`(_ script: ReceiverScript) async throws {
        let fixture = try await DeliveryFixture.make(resultsFor: 60)
        let server = try HostileServer { script.play($0) }
        defer { server.stop() }
        let campaign = try await fixture.send(to: script.recipients.map { $0 + "@example.org" })
        try await fixture.withEngine(port: server.port, { Self.configure(&$0, script) }) { _ in
            if let connections = script.cancelsAt {
                try await cancel(campaign, at: connections, of: server, script, fixture)
            } else {
                try await checkEnd(of: campaign, server, script, fixture)
            }
        }
        #expect(try await fixture.problemsOfBooks() == [])
    }

    private static func configure(_ configuration: inout DeliveryConfiguration, _ script: ReceiverScript) {
        configuration.laneLimits = LaneLimits(connections: script.cancelsAt ?? 2)
        configuration.retry = RetrySchedule(
            baseSeconds: script.isSoon ? 0.2 : 3_600, maximumSeconds: script.isSoon ? 0.2 : 3_600)
        configuration.drainSeconds = 1
        // A refusal for the content would be tried again.
        configuration.refusals.mostAttempts = 1
        guard script.isSoon else { return }
        for phase in [\SMTPTimeouts.mail, \.rcpt, \.data, \.block, \.finalDot]
            as [WritableKeyPath<SMTPTimeouts, Duration>]
        {
            configuration.timeouts[keyPath: phase] = .milliseconds(400)
        }
    }

    private func checkEnd(
        of campaign: CampaignID, _ server: HostileServer, _ script: ReceiverScript, _ fixture: DeliveryFixture
    ) async throws {
        let counters = try await fixture.end(of: campaign).counters
        for outcome in Outcome.allCases {
            #expect(counters[outcome] == script.counters[outcome.name] ?? 0, "\(outcome)")
        }
        #expect(counters.inDoubtResent == 0)
        #expect(server.copies.values.allSatisfy { $0 == 1 })
        if let connections = script.connections { #expect(server.connections == connections) }
        for local in script.recipients {
            let found = try await fixture.suppressions.find(
                EmailAddress(local + "@example.org"), account: fixture.account)
            #expect(found?.reason == (script.suppressed.contains(local) ? .hardBounce : nil), "\(local)")
        }
        guard !script.outcomes.isEmpty else { return }
        let page = try await fixture.service.recipients(fixture.account, campaign)
        let listed = page.recipients.map { recipient in
            let local = recipient.email.prefix { $0 != "@" }
            let enhanced = recipient.enhanced?.description ?? "-"
            return "\(local) \(recipient.fate.name) \(recipient.code) \(enhanced) \(recipient.text)"
        }
        for outcome in script.outcomes { #expect(listed.contains(outcome), "\(listed)") }
    }

    /// Credits of what is not on the wire come back long before any time-out.
    private func cancel(
        _ campaign: CampaignID, at connections: Int, of server: HostileServer, _ script: ReceiverScript,
        _ fixture: DeliveryFixture
    ) async throws {
        try await eventually("the connections stand") { server.connections >= connections }
        _ = try await fixture.service.cancel(fixture.account, campaign)
        let start = ContinuousClock.now
        try await eventually("the credits come back") { try await fixture.balance().held <= script.held }
        #expect(ContinuousClock.now - start < .seconds(30))
        let counters = try await fixture.counters(campaign)
        #expect(counters.cancelled >= script.recipients.count - connections)
        #expect(counters.pending + counters.deferred <= connections)
    }
}
