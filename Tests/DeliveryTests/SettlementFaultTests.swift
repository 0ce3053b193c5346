import Campaigns
import CreditLedger
import Logging
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

    /// Operators are told of what may last for ever, and not of what happens each day.
    @Test(.timeLimit(.minutes(2)), arguments: [Logger.Level.warning, .debug])
    func `a settlement that runs out of its time is told of, one that waits for somebody is not`(
        _ level: Logger.Level
    ) async throws {
        let fixture = try await DeliveryFixture.make()
        var configuration = fixture.records.configuration()
        configuration.limits.lock = .milliseconds(200)
        configuration.limits.statement = .milliseconds(600)
        let records = PostgresPool(configuration: configuration, logger: .silent)
        let log = Log()
        let server = MailServer { _, _ in .accept }
        let campaign = try await fixture.send(2, batchSize: 2)
        func triedAgain() -> [Log.Line] { log.lines.filter { $0.text.hasPrefix("settlement tried again") } }
        try await server.run { port in
            let engine = fixture.engine(port: port, store: store(fixture, settling: records), logger: log.logger)
            let running = try await fixture.records.owner.withTransaction { connection in
                if level == .warning {
                    // What every statement on the table waits for, and no lock of a row.
                    try await connection.execute(
                        script: """
                            CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
                                'BEGIN PERFORM pg_sleep(100); RETURN NULL; END';
                            CREATE TRIGGER linger BEFORE INSERT ON batch_results EXECUTE FUNCTION linger();
                            COMMIT; BEGIN
                            """)
                } else {
                    try await connection.query("SELECT FROM accounts FOR UPDATE")
                }
                let running = RunningEngine(engine)
                try await eventually("it is tried again") { triedAgain().count >= 2 }
                return running
            }
            if level == .warning {
                try await fixture.records.owner.query("DROP TRIGGER linger ON batch_results")
            }
            #expect(try await fixture.end(of: campaign).counters.delivered == 2)
            try await running.drain()
        }
        #expect(triedAgain().allSatisfy { $0.level == level })
        expectOneCopyEach(server, 2)
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
