import Campaigns
import Fleet
import MailTypes
import Postgres
import TestDatabases
import Testing

/// Campaigns that ask for a pool of source addresses.
struct SourcePoolTests {
    private static func draft(_ pool: String) -> String {
        """
        {"from": "news@shop.example", "subject": "Hello", "text": "Hello", "source_pool": "\(pool)"}
        """
    }

    private func open(_ pools: [String], own: String? = nil, _ fixture: APIFixture, _ customer: Customer) async throws {
        try await fixture.records.pool.withConnection { connection in
            try await FleetStore.set(
                AccountShaping(pool: own, campaignPools: pools), for: customer.account, on: connection)
        }
    }

    @Test func `a campaign may ask for the pools that are open to its account`() async throws {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            let other = try await fixture.customer()
            try await open(["news"], fixture, other)
            for pool in ["news", "", "NEWS", "default "] {
                let refused = try await api.post("/v1/campaigns", Self.draft(pool))
                refused.expectProblem(422, "source_pool_unknown")
                #expect(refused.json["fields"][0] == "source_pool")
                #expect(refused.json["detail"].string?.contains("it has default") == true)
            }
            #expect(try await api.get("/v1/campaigns").json["data"][0]["id"].string == nil, "a draft was made")
            #expect(try await api.post("/v1/campaigns", Self.draft("default")).json["source_pool"] == "default")
            try await open(["news", "receipts"], own: "shop", fixture, customer)
            for pool in ["news", "shop"] {
                #expect(try await api.post("/v1/campaigns", Self.draft(pool)).json["source_pool"].string == pool)
            }
            let closed = try await api.post("/v1/campaigns", Self.draft("default"))
            #expect(closed.json["detail"].string?.contains("news, receipts, shop") == true)
        }
    }

    @Test func `a pool that was closed, or that no node has, is told at the quote and refused at the start`()
        async throws
    {
        try await APIFixture.withOwnDatabase { fixture, customer, api in
            try await open(["news"], fixture, customer)
            let created = try await api.post("/v1/campaigns", Self.draft("news"))
            let id = try #require(created.json["id"].string)
            _ = try await api.upload(id, API.lines(1))
            func quote() async throws -> JSON { try await api.get("/v1/campaigns/\(id)/quote").json }
            // While no node delivers nobody knows.
            #expect(try await quote()["source_pool"] == "news")
            #expect(try await quote()["source_pool_problem"].string == nil)

            try await fixture.fleet.register(node: "one")
            try await fixture.store.beginIncarnation(of: "one")
            _ = try await fixture.fleet.heartbeat(node: "one", aliveSeconds: 30, pools: ["default"])
            #expect(try await quote()["source_pool_problem"].string?.contains("no node") == true)
            try await api.post("/v1/campaigns/\(id)/send").expectProblem(422, "source_pool_unknown")
            try await api.post("/v1/campaigns", Self.draft("news")).expectProblem(422, "source_pool_unknown")

            _ = try await fixture.fleet.heartbeat(node: "one", aliveSeconds: 30, pools: ["default", "news"])
            #expect(try await quote()["source_pool_problem"].string == nil)
            try await open([], fixture, customer)
            #expect(try await quote()["source_pool_problem"].string?.contains("it has default") == true)
            try await api.post("/v1/campaigns/\(id)/send").expectProblem(422, "source_pool_unknown")
            #expect(try await api.get("/v1/campaigns/\(id)").json["state"] == "draft")
            try await open(["news"], fixture, customer)
            #expect(try await api.post("/v1/campaigns/\(id)/send").json["source_pool"] == "news")
            await fixture.fleet.unregister(node: "one")
        }
    }
}
