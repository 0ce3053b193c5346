import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import Testing

@testable import Campaigns

/// An upload is stored in portions that nobody sees until its end, and keeps nobody waiting meanwhile.
@Suite struct StagedUploadTests {
    @Test func `an open upload holds no transaction, and a migration passes it`() async throws {
        try await Self.withOpenUpload { fixture, _, _ in
            let transactions = try await fixture.records.owner.query(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
                """
            ).only.decode(Int64.self)
            #expect(transactions == 0)
            try await fixture.records.owner.withTransaction { connection in
                try await connection.execute(
                    script: """
                        SET LOCAL lock_timeout = '2s';
                        LOCK TABLE campaigns, batches, batch_recipients, uploads IN ACCESS EXCLUSIVE MODE;
                        """)
            }
        }
    }

    @Test func `quote, listing and campaign do not see what is staged, and then all of it`() async throws {
        try await Self.withOpenUpload { fixture, campaign, finish in
            #expect(try await fixture.staged(campaign) > 0)
            #expect(try await fixture.rows("batches", campaign) == 1)
            #expect(try await fixture.service.quote(fixture.account, campaign).recipients == 3)
            #expect(try await fixture.service.quote(fixture.account, campaign).credits == 3)
            let listed = try await fixture.service.recipients(
                fixture.account, campaign, fate: nil, inDoubtOnly: false, after: nil, limit: 1_000)
            #expect(listed.recipients.count == 3)
            #expect(try await finish()?.report.accepted == 400)
            #expect(try await fixture.staged(campaign) == 0)
            #expect(try await fixture.rows("batches", campaign) == 101)
            #expect(try await fixture.service.quote(fixture.account, campaign).credits == 403)
            #expect(try await fixture.rows("uploads", campaign) == 0)
        }
    }

    @Test func `a send goes without what is staged, and the upload is refused`() async throws {
        try await Self.withOpenUpload { fixture, campaign, finish in
            #expect(try await fixture.service.send(fixture.account, campaign).credits.held == 3)
            let claimed = try await fixture.store.claim(node: "n", leaseSeconds: 60, limit: 16)
            #expect(claimed.flatMap(\.records).count == 3)
            #expect(try await finish() == nil)
            #expect(try await fixture.staged(campaign) == 0)
            #expect(try await fixture.status(campaign).counters.recipients == 3)
        }
    }

    @Test func `an upload whose place was taken writes nothing more and leaves the other's alone`() async throws {
        try await Self.withOpenUpload { fixture, campaign, finish in
            // As where the session with the turns was lost.
            let importer = RecipientImporter(vault: fixture.vault, suppressions: fixture.suppressions)
            let stage = try await importer.stage(fixture.account, campaign, on: fixture.records.pool)
            #expect(try await fixture.staged(campaign) == 0)
            let result = try await importer.run(
                format: .ndjson,
                source: CampaignFixture.stream(CampaignFixture.lines(CampaignFixture.addresses(900..<909))),
                into: stage, target: ImportTarget(nextIndex: 3, nextBatch: 2, batchSize: 4))
            #expect(try await finish() == nil)
            #expect(try await fixture.staged(campaign) == 3)
            try await fixture.records.pool.withTransaction { connection in
                try await stage.publish(result.deliverableOfBatches, from: 2, on: connection)
            }
            #expect(try await fixture.rows("batches", campaign) == 4)
        }
    }

    /// After its last portion, and before its end.
    @Test func `an upload whose place was taken publishes nothing of the other's`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(0)
        let importer = RecipientImporter(vault: fixture.vault, suppressions: fixture.suppressions)
        func staged(_ people: Range<Int>) async throws -> (UploadStage, [Int32]) {
            let stage = try await importer.stage(fixture.account, campaign, on: fixture.records.pool)
            let result = try await importer.run(
                format: .ndjson,
                source: CampaignFixture.stream(CampaignFixture.lines(CampaignFixture.addresses(people))),
                into: stage, target: ImportTarget(nextIndex: 0, nextBatch: 1, batchSize: 4))
            return (stage, result.deliverableOfBatches)
        }
        let (first, batches) = try await staged(0..<9)
        let (second, others) = try await staged(100..<109)
        #expect(batches == others)
        let error = await #expect(throws: CampaignError.self) {
            try await fixture.records.pool.withTransaction { try await first.publish(batches, from: 1, on: $0) }
        }
        #expect(error?.code == .uploadInProgress)
        #expect(try await fixture.staged(campaign) == 3)
        #expect(try await fixture.rows("batches", campaign) == 0)
        try await fixture.records.pool.withTransaction { try await second.publish(others, from: 1, on: $0) }
        #expect(try await fixture.rows("batches", campaign) == 3)
    }

    @Test func `an upload of which the database has lost a portion is refused as a whole`() async throws {
        try await Self.withOpenUpload { fixture, campaign, finish in
            try await fixture.records.owner.query("DELETE FROM batch_recipients WHERE batch_no = -3")
            #expect(try await finish() == nil)
            #expect(try await fixture.staged(campaign) == 0)
            #expect(try await fixture.status(campaign).counters.recipients == 3)
            #expect(try await fixture.rows("batches", campaign) == 1)
        }
    }

    @Test func `what a dead node left is swept, and nothing of those that live`() async throws {
        let fixture = try await CampaignFixture.make()
        var campaigns: [CampaignID] = []
        for _ in 0..<3 {
            let campaign = try await fixture.draft(0)
            campaigns.append(campaign)
            let importer = RecipientImporter(vault: fixture.vault, suppressions: fixture.suppressions)
            let stage = try await importer.stage(fixture.account, campaign, on: fixture.records.pool)
            _ = try await importer.run(
                format: .ndjson,
                source: CampaignFixture.stream(CampaignFixture.lines(CampaignFixture.addresses(0..<9))),
                into: stage, target: ImportTarget(batchSize: 4))
        }
        // One died long ago, of one only portions are left.
        try await fixture.records.owner.query(
            "UPDATE uploads SET started_at = started_at - interval '3 hours' WHERE campaign_id = \(campaigns[0].rawValue)"
        )
        try await fixture.records.owner.query("DELETE FROM uploads WHERE campaign_id = \(campaigns[1].rawValue)")
        #expect(try await fixture.service.sweepUploads() == 2)
        #expect(try await fixture.staged(campaigns[0]) == 0)
        #expect(try await fixture.staged(campaigns[1]) == 0)
        #expect(try await fixture.staged(campaigns[2]) == 3)
        #expect(try await fixture.service.sweepUploads() == 0)
    }

    /// Runs `body` beside an upload of 400 recipients to a draft of 3, of which most are staged already.
    ///
    /// - Parameter body: gets what ends the upload and returns its result, nil where it was refused.
    private static func withOpenUpload(
        _ body: (CampaignFixture, CampaignID, () async throws -> ImportResult?) async throws -> Void
    ) async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(3)
        let (source, feed) = AsyncStream.makeStream(of: [UInt8].self)
        feed.yield(CampaignFixture.lines(CampaignFixture.addresses(100..<500)))
        let upload = Task {
            try await fixture.service.importRecipients(fixture.account, campaign, format: .ndjson, source: source)
        }
        while try await fixture.staged(campaign) < 90 { try await Task.sleep(for: .milliseconds(5)) }
        // The statement that was seen may not be over.
        try await Task.sleep(for: .milliseconds(50))
        try await body(fixture, campaign) {
            feed.finish()
            do {
                return try await upload.value
            } catch is CampaignError {
                return nil
            }
        }
        feed.finish()
        _ = try? await upload.value
    }
}

extension CampaignFixture {
    /// Batches of an upload that is not published.
    func staged(_ campaign: CampaignID) async throws -> Int64 {
        try await records.owner.query(
            "SELECT count(*) FROM batch_recipients WHERE campaign_id = \(campaign.rawValue) AND batch_no < 0"
        ).only.decode(column: 0, as: Int64.self)
    }
}
