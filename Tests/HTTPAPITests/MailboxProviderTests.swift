import Feedback
import MailTypes
import Postgres
import TestDatabases
import Testing

/// `GET /v1/mailbox-providers`
@Suite struct MailboxProviderTests {
    @Test func `an account sees its own rates, of all its campaigns or of one`() async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let id = try #require(try await api.post("/v1/campaigns", API.draft).json["id"].string)
            let campaign = try #require(CampaignID(id))
            try await fixture.records.pool.withConnection { connection in
                for (campaign, counts) in [
                    (campaign, ["yahoo": ComplaintBrake.Counts(delivered: 3_000, hardBounces: 0)]),
                    (CampaignID(rawValue: 5), ["gmail": .init(delivered: 90, hardBounces: 10)]),
                ] {
                    try await ProviderHours.add(counts, of: customer.account, campaign, on: connection)
                }
            }
            let all = try await api.get("/v1/mailbox-providers")
            #expect(
                all.text
                    == #"{"hours":24,"data":[{"provider":"yahoo","delivered":3000,"hard_bounces":0,"complaints":0,"#
                    + #""hard_bounce_rate":0.0,"complaint_rate":0.0},{"provider":"gmail","delivered":90,"#
                    + #""hard_bounces":10,"complaints":0,"hard_bounce_rate":0.1,"complaint_rate":0.0}]}"#)
            let one = try await api.get("/v1/mailbox-providers?campaign=\(id)&hours=1").json
            #expect(one["hours"] == 1 && one["data"].elements.map { $0["provider"].string } == ["yahoo"])
            for wrong in ["hours=0", "hours=169", "hours=x", "campaign=1"] {
                try await api.get("/v1/mailbox-providers?\(wrong)").expectProblem(422, "invalid_field")
            }
            let stranger = try await fixture.customer(credits: 0)
            try await fixture.withAPI(stranger.key) { other in
                #expect(try await other.get("/v1/mailbox-providers").json["data"] == [])
                try await other.get("/v1/mailbox-providers?campaign=\(id)").expectProblem(404, "not_found")
            }
        }
    }
}
