import Campaigns
import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import TestPeers
import TestSupport
import Testing

@Suite struct UnprovenDomainTests {
    private func set(_ state: String, _ fixture: DeliveryFixture) async throws {
        try await fixture.records.owner.query("UPDATE domains SET state = \(state), failing_since = now()")
    }

    /// A scheduled campaign cannot be paused before its time.
    @Test func `a campaign whose domain has stopped by its time is paused and not bounced`() async throws {
        let fixture = try await DeliveryFixture.make(trustsDomains: false)
        let server = MailServer { _, _ in .accept }
        try await set("failing", fixture)
        let campaign = try await fixture.send(6)
        try await set("stopped", fixture)
        try await fixture.withEngine(to: server) { _ in
            try await eventually("the campaign is paused") {
                try await fixture.service.get(fixture.account, campaign).state == .paused
            }
            let status = try await fixture.service.get(fixture.account, campaign)
            #expect(status.campaign.pauseReason?.contains("shop.example") == true)
            #expect(status.counters.pending == 6 && status.credits.held == 6)
        }
        #expect(server.attempts.isEmpty)
        await #expect(throws: CampaignError.self) {
            try await fixture.service.resume(fixture.account, campaign)
        }
        try await set("verified", fixture)
        _ = try await fixture.service.resume(fixture.account, campaign)
        // Not in half a minute, when the claim that found it out would be repeated.
        try await fixture.records.owner.query("UPDATE batches SET due_at = now() WHERE due_at > now()")
        try await fixture.records.owner.query("UPDATE account_queue SET next_due = now()")
        try await fixture.withEngine(to: server) { _ in
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.delivered == 6)
        }
    }
}
