import HTTPAPI
import Hummingbird
import HummingbirdTesting
import MailTypes
import Postgres
import TestDatabases
import TestSupport
import Testing

@Suite struct HourlySweepTests {
    @Test func `old answers are deleted, young ones stay, and a shutdown ends it`() async throws {
        try await APIFixture.withCustomer { fixture, customer, api in
            for key in ["old", "young"] {
                let answer = try await api.post("/v1/suppressions", #"{"addresses": []}"#, idempotencyKey: key)
                #expect(answer.status == 200)
            }
            try await fixture.records.owner.query(
                """
                UPDATE idempotency_keys SET created_at = created_at - interval '49 hours'
                WHERE account_id = \(customer.account.rawValue) AND key = 'old'
                """)
            let sweeper = HourlySweep.answers(fixture.services.idempotency, fixture.records.pool, logger: .silent)
            let application = Application(
                router: Router(context: BasicRequestContext.self), services: [sweeper], logger: .silent)
            // Its services run while the closure does, and are shut down after it.
            try await application.test(.router) { _ in
                while try await fixture.count("idempotency_keys", customer.account) > 1 {
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
            let kept = try await api.post("/v1/suppressions", #"{"addresses": []}"#, idempotencyKey: "young")
            #expect(kept.isReplayed)
        }
    }

    @Test(.timeLimit(.minutes(2))) func `a sweep that fails is tried again`() async throws {
        let fixture = try await APIFixture.make()
        let customer = try await fixture.customer()
        try await fixture.withAPI(customer.key) { api in
            _ = try await api.post("/v1/suppressions", #"{"addresses": []}"#, idempotencyKey: "old")
        }
        try await fixture.records.owner.query(
            "UPDATE idempotency_keys SET created_at = created_at - interval '49 hours'")
        try await fixture.records.owner.query("ALTER TABLE idempotency_keys RENAME TO hidden")
        let sweeper = HourlySweep.answers(
            fixture.services.idempotency, fixture.records.pool, every: .milliseconds(10), logger: .silent)
        let task = Task { try await sweeper.run() }
        try await Task.sleep(for: .milliseconds(100))
        try await fixture.records.owner.query("ALTER TABLE hidden RENAME TO idempotency_keys")
        while try await fixture.count("idempotency_keys", customer.account) > 0 {
            try await Task.sleep(for: .milliseconds(10))
        }
        task.cancel()
        try await task.value
        let left = try await fixture.count("idempotency_keys", customer.account)
        #expect(left == 0)
    }
}
