import Campaigns
import CreditLedger
import MailTypes
import Postgres
import SMTPProtocol
import TestDatabases
import TestPeers
import TestSupport
import Testing

@testable import Delivery

/// Settlements whose connection is lost: nobody is mailed or paid for again.
@Suite struct SettlementFaultTests {
    private func store(_ fixture: DeliveryFixture, settling records: PostgresPool) -> DeliveryStore {
        DeliveryStore(
            records: records, journal: fixture.records.pool, housekeeping: fixture.records.pool, vault: fixture.vault,
            ledger: fixture.ledger, suppressions: fixture.suppressions, logger: .silent)
    }

    private func expectOneCopyEach(_ server: MailServer, _ count: Int) {
        #expect(server.copies.count == count && server.copies.values.allSatisfy { $0 == 1 })
    }

    @Test(.timeLimit(.minutes(2))) func `a commit whose answer is lost is asked for again`() async throws {
        let fixture = try await DeliveryFixture.make()
        let wire = try AnswerLosingWire(to: fixture.records, losingCommitAfter: "INSERT INTO batch_results")
        let records = wire.pool(fixture.records)
        let server = MailServer { _, _ in .accept }
        let campaign = try await fixture.send(4, batchSize: 4)
        try await server.run { port in
            let engine = fixture.engine(port: port, store: store(fixture, settling: records))
            let running = RunningEngine(engine)
            let status = try await fixture.end(of: campaign)
            #expect(wire.lost == 1)
            #expect(status.counters.delivered == 4)
            // The worker that settled it heard so, and ended the campaign.
            #expect(engine.status.counts.batchesFailed == 0 && engine.status.counts.batchesSettled == 1)
            #expect(engine.status.counts.batchesClaimed == 1)
            try await running.drain()
        }
        expectOneCopyEach(server, 4)
        #expect(try await fixture.balance().posted == DeliveryFixture.credits - 4)
        #expect(try await fixture.problemsOfBooks() == [])
        await records.close()
    }

    /// What a server that is restarted does to a settlement under way.
    @Test(.timeLimit(.minutes(2))) func `a settlement that the server breaks off is made again`() async throws {
        let fixture = try await DeliveryFixture.make()
        try await fixture.records.owner.withConnection { connection in
            try await connection.execute(
                script: """
                    CREATE TABLE lingering ();
                    INSERT INTO lingering DEFAULT VALUES;
                    CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                    BEGIN
                        IF EXISTS (SELECT FROM lingering) THEN PERFORM pg_sleep(100); END IF;
                        RETURN NULL;
                    END $$;
                    CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON batches DEFERRABLE INITIALLY DEFERRED
                        FOR EACH ROW WHEN (NEW.state = 3) EXECUTE FUNCTION linger();
                    """)
        }
        let server = MailServer { address, attempt in
            address == DeliveryFixture.address(0) && attempt == 1
                ? .recipient(.init(451, EnhancedStatusCode("4.7.1"), "later")) : .accept
        }
        let campaign = try await fixture.send(4, batchSize: 4)
        try await server.run { port in
            let engine = fixture.engine(port: port)
            let running = RunningEngine(engine)
            let administrator = try await PostgresConnection.connect(fixture.records.configuration(role: "postgres"))
            func lingering() async throws -> [Int32] {
                try await administrator.query(
                    """
                    SELECT pid FROM pg_stat_activity
                    WHERE datname = \(fixture.records.name) AND query = 'COMMIT' AND wait_event = 'PgSleep'
                    """
                ).map { try $0.decode(column: 0, as: Int32.self) }
            }
            try await eventually("the settlement is under way") { try await !lingering().isEmpty }
            try await fixture.records.owner.query("DELETE FROM lingering")
            for pid in try await lingering() { try await administrator.query("SELECT pg_terminate_backend(\(pid))") }
            await administrator.close()
            let status = try await fixture.end(of: campaign)
            #expect(status.counters.delivered == 4)
            #expect(engine.status.counts.batchesFailed == 0)
            // The batch and its retry, each once.
            #expect(engine.status.counts.batchesClaimed == 2)
            try await running.drain()
        }
        expectOneCopyEach(server, 4)
        #expect(try await fixture.problemsOfBooks() == [])
    }
}
