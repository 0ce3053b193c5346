import Campaigns
import Hummingbird
import HummingbirdTesting
import Identity
import MailTypes
import Postgres
import TestDatabases
import TestStores
import TestSupport
import Testing

@testable import HTTPAPI

/// What the requests of one account do to those of another.
@Suite struct NeighbourTests {
    /// The API over a pool as a server has it, only smaller and with shorter time-outs.
    private func withNarrowAPI<Value>(
        _ fixture: APIFixture, _ body: @Sendable (API, API) async throws -> Value, _ greedy: Customer, _ other: Customer
    ) async throws -> Value {
        var configuration = APIFixture.confined(fixture.records)
        configuration.maximumConnections = 3
        configuration.share = PoolShare(connections: 2, waiting: 4)
        configuration.acquireTimeout = .seconds(20)
        configuration.limits.lock = .milliseconds(700)
        let pool = PostgresPool(configuration: configuration, logger: .silent)
        var services = fixture.services
        services.records = pool
        services.campaigns = CampaignService(
            records: pool, vault: fixture.vault, ledger: fixture.ledger, suppressions: fixture.stores.suppressions,
            domains: fixture.stores.domains, logger: .silent)
        let application = Application(router: APIServer.router(services), logger: .silent)
        let value = try await application.test(.router) { client in
            try await body(API(client: client, key: greedy.key), API(client: client, key: other.key))
        }
        await pool.close()
        return value
    }

    @Test func `people's requests see the rows of their account, and operators' those of none`() async throws {
        try await APIFixture.withOwner { fixture, customer, owner in
            let worker = try await fixture.signIn(try await fixture.user(.installationOperator), owner.api)
            let router = Router(context: APIContext.self)
            router.group().add(middleware: fixture.services.authentication(APIExposure())).get("/probe") { _, _ in
                ConnectionOwner.current.map { "\($0.account ?? 0)" } ?? "nobody"
            }
            try await Application(router: router, logger: .silent).test(.router) { client in
                for (browser, account) in [(owner, customer.account.rawValue), (worker, 0)] {
                    let cookie = "__Host-sluice-token=\(browser.token)"
                    let answer = try await API(client: client).call(.get, "/probe", headers: ["Cookie": cookie])
                    #expect(answer.text == "\(account)")
                }
            }
        }
    }

    @Test func `ten requests of an account that wait for a locked row keep no other waiting`() async throws {
        let fixture = try await APIFixture.shared()
        let (greedy, other) = (try await fixture.customer(), try await fixture.customer())
        try await withNarrowAPI(
            fixture,
            { api, calm in
                let draft = try await api.draft()
                _ = try await calm.get("/v1/credits")
                try await fixture.records.owner.withConnection { connection in
                    try await connection.execute(script: "BEGIN")
                    try await connection.query(
                        "SELECT FROM campaigns WHERE account_id = \(greedy.account.rawValue) FOR UPDATE")
                    try await withThrowingTaskGroup(of: Answer.self) { group in
                        for _ in 0..<10 { group.addTask { try await api.post("/v1/campaigns/\(draft)/cancel") } }
                        try await Task.sleep(for: .milliseconds(200))
                        for _ in 0..<5 {
                            let start = ContinuousClock.now
                            #expect(try await calm.get("/v1/credits").status == 200)
                            // Less than the greedy ones wait for their lock.
                            #expect(ContinuousClock.now - start < .milliseconds(600))
                        }
                        for try await answer in group { Self.expectRefused(answer) }
                    }
                    try await connection.execute(script: "ROLLBACK")
                }
                #expect(try await api.post("/v1/campaigns/\(draft)/cancel").status == 200)
            }, greedy, other)
    }

    private static func expectRefused(_ answer: Answer) {
        if answer.status == 429 {
            answer.expectProblem(429, "too_many_requests")
        } else {
            answer.expectProblem(503, "busy")
        }
        #expect(answer.headers[.retryAfter] != nil)
    }

    @Test func `who steers its campaigns too fast is told so`() async throws {
        try await APIFixture.withCustomer { _, _, api in
            let id = try await api.sent(1)
            var statuses: [Int] = []
            for turn in 0..<Int(APILimits.steeringBurst) + 20 {
                let answer = try await api.post("/v1/campaigns/\(id)/\(turn.isMultiple(of: 2) ? "pause" : "resume")")
                statuses.append(answer.status)
                guard answer.status == 429 else { continue }
                answer.expectProblem(429, "too_many_requests")
                #expect(answer.headers[.retryAfter] == "1")
                break
            }
            #expect(statuses.last == 429)
            #expect(statuses.count > Int(APILimits.steeringBurst))
            // Looking is free.
            #expect(try await api.get("/v1/campaigns/\(id)").status == 200)
        }
    }

    @Test func `a pace gives a burst, then so many a second, to each account`() throws {
        let pace = RequestPace(burst: 3, perSecond: 2)
        let start = ContinuousClock.now
        let (first, second) = (AccountID(rawValue: 1), AccountID(rawValue: 2))
        for _ in 0..<3 { try pace.take(first, at: start) }
        #expect(throws: Problem.self) { try pace.take(first, at: start) }
        try pace.take(second, at: start)
        #expect(throws: Problem.self) { try pace.take(first, at: start + .milliseconds(400)) }
        try pace.take(first, at: start + .milliseconds(500))
        #expect(throws: Problem.self) { try pace.take(first, at: start + .milliseconds(500)) }
        for _ in 0..<3 { try pace.take(first, at: start + .seconds(60)) }
        #expect(throws: Problem.self) { try pace.take(first, at: start + .seconds(60)) }
    }
}
