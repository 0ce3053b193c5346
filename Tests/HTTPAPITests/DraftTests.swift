import HTTPAPI
import Hummingbird
import HummingbirdTesting
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing

/// Drafts that are given up.
@Suite struct DraftTests {
    @Test func `a draft is deleted with its data, and what was sent is not`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            let draft = try await api.draft(3)
            let other = try await api.draft(1)
            let sent = try await api.sent(2)
            let before = try await fixture.state(customer.account)
            try await api.delete("/v1/campaigns/\(sent)").expectProblem(409, "illegal_transition")
            try await api.delete("/v1/campaigns/cmp_0000000000000").expectProblem(404, "not_found")
            #expect(try await fixture.state(customer.account) == before)
            #expect(try await api.delete("/v1/campaigns/\(draft)").status == 204)
            #expect(try await api.get("/v1/campaigns/\(draft)").json["state"].string == "cancelled")
            #expect(try await api.get("/v1/campaigns/\(draft)/certificate").status == 200)
            try await api.get("/v1/campaigns/\(draft)/recipients").expectProblem(410, "purged")
            try await api.delete("/v1/campaigns/\(draft)").expectProblem(409, "illegal_transition")
            #expect(try await api.get("/v1/campaigns/\(other)").json["state"].string == "draft")
        }
    }

    @Test(.timeLimit(.minutes(2))) func `drafts that nobody has sent are given up after their days, younger ones stay`()
        async throws
    {
        let fixture = try await APIFixture.make()
        let customer = try await fixture.customer()
        try await fixture.withAPI(customer.key) { api in
            let (old, young, sent) = (try await api.draft(2), try await api.draft(2), try await api.sent(1))
            for (id, days) in [(old, 8), (young, 6), (sent, 8)] {
                let number = try #require(CampaignID(id))
                try await fixture.records.owner.query(
                    """
                    UPDATE campaigns SET created_at = created_at - make_interval(days => \(Int32(days)))
                    WHERE campaign_id = \(number.rawValue)
                    """)
            }
            let sweeper = HourlySweep.drafts(
                fixture.stores.campaigns, olderThanDays: 7, every: .milliseconds(10), logger: .silent)
            let task = Task { try await sweeper.run() }
            while try await api.get("/v1/campaigns/\(old)").json["state"].string == "draft" {
                try await Task.sleep(for: .milliseconds(10))
            }
            task.cancel()
            try await task.value
            #expect(try await api.get("/v1/campaigns/\(young)").json["state"].string == "draft")
            #expect(try await api.get("/v1/campaigns/\(sent)").json["state"].string == "queued")
        }
    }
}
