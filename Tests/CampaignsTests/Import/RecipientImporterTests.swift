import Feedback
import MailTypes
import Postgres
import TestDatabases
import Testing
import Vault

@testable import Campaigns

/// The importer over real tables; its rules are tested without a database in ``RecipientImportTests``.
@Suite("Importer over PostgreSQL")
struct RecipientImporterTests {
    @Test func `batches and recipients are stored`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(0, batchSize: 100)
        let result = try await upload(1_234, to: campaign, fixture)
        #expect(result.report.accepted == 1_234)
        #expect(result.target == ImportTarget(nextIndex: 1_234, nextBatch: 14, batchSize: 100))
        let stored = try await stored(campaign, fixture)
        #expect(stored.map(\.number) == Array(1...13))
        #expect(stored.map(\.deliverable) == [Int32](repeating: 100, count: 12) + [34])
        #expect(stored.allSatisfy { $0.state == 0 })
        let records = stored.flatMap(\.records)
        #expect(records.map(\.index) == Array(0..<1_234))
        #expect(records.map(\.address.text) == CampaignFixture.addresses(0..<1_234))
    }

    @Test func `later uploads know the earlier ones`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(0, batchSize: 10)
        let first = try await upload(95, to: campaign, fixture)
        let second = try await upload(120, to: campaign, fixture, target: first.target)
        #expect(second.report.duplicates == 95)
        #expect(second.report.accepted == 25)
        let records = try await stored(campaign, fixture).flatMap(\.records)
        #expect(records.map(\.index) == Array(0..<120))
        #expect(Set(records.map(\.address)).count == 120)
    }

    @Test func `suppressions of the account apply and those of others do not`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(0, batchSize: 10)
        let other = try await fixture.account("other", credits: 0)
        for (account, number) in [(fixture.account, 3), (fixture.account, 14), (other, 5)] {
            let keys = try await fixture.vault.accountKeys(account)
            let fingerprint = keys.fingerprinter.fingerprint(try EmailAddress("Person\(number)@EXAMPLE.org"))
            try await fixture.records.pool.query(
                """
                INSERT INTO suppressions (account_id, fingerprint, reason, origin)
                VALUES (\(account.rawValue), \(fingerprint.bytes), 4, 'customer')
                """)
        }
        let result = try await upload(20, to: campaign, fixture)
        #expect(result.report.accepted == 20)
        #expect(result.report.suppressed == 2)
        #expect(result.deliverable == 18)
        let stored = try await stored(campaign, fixture)
        #expect(stored.map(\.deliverable) == [9, 9])
        #expect(stored.flatMap(\.records).filter(\.isSuppressed).map(\.index) == [3, 14])
    }

    @Test func `a refused upload leaves nothing`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(0, batchSize: 10)
        let text = "email,x\n" + CampaignFixture.addresses(0..<500).map { "\($0),1\n" }.joined() + "\"torn"
        let error = await #expect(throws: ImportError.self) {
            try await run(Array(text.utf8), .csv, campaign, fixture, ImportTarget(batchSize: 10))
        }
        #expect(error?.code == .csvUnterminatedQuote)
        #expect(try await fixture.rows("batches", campaign) == 0)
        #expect(try await fixture.rows("batch_recipients", campaign) == 0)
        // The same campaign takes the mended upload.
        let mended = try await run(
            Array((text + "@example.org\",1\n").utf8), .csv, campaign, fixture, ImportTarget(batchSize: 10))
        #expect(mended.report.accepted == 501)
    }

    @Test func `nothing of an upload can be read in the tables`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(0)
        _ = try await upload(50, to: campaign, fixture)
        let found = try await fixture.records.owner.query(
            """
            SELECT count(*) FROM batch_recipients
            WHERE position('person'::bytea IN sealed) > 0 OR position('example'::bytea IN sealed) > 0
            """
        ).only.decode(column: 0, as: Int64.self)
        #expect(found == 0)
    }

    @Test func `a campaign without key takes no upload`() async throws {
        let fixture = try await CampaignFixture.make()
        let campaign = try await fixture.draft(0)
        _ = try await fixture.vault.destroyCampaignKey(fixture.account, campaign)
        let error = await #expect(throws: VaultError.self) { try await upload(5, to: campaign, fixture) }
        #expect(error?.code == .destroyed)
    }

    // MARK: -

    private struct Stored {
        var number: Int32
        var state: Int16
        var deliverable: Int32
        var records: [RecipientRecord]
    }

    private func upload(
        _ count: Int, to campaign: CampaignID, _ fixture: CampaignFixture, target: ImportTarget? = nil
    ) async throws -> ImportResult {
        let lines = CampaignFixture.lines(CampaignFixture.addresses(0..<count))
        let batchSize = count > 1_000 ? 100 : 10
        return try await run(lines, .ndjson, campaign, fixture, target ?? ImportTarget(batchSize: batchSize))
    }

    private func run(
        _ upload: [UInt8], _ format: UploadForm, _ campaign: CampaignID, _ fixture: CampaignFixture,
        _ target: ImportTarget
    ) async throws -> ImportResult {
        let importer = RecipientImporter(vault: fixture.vault, suppressions: fixture.suppressions)
        let stage = try await importer.stage(fixture.account, campaign, on: fixture.records.pool)
        do {
            let result = try await importer.run(
                format: format, source: CampaignFixture.stream(upload), into: stage, target: target)
            try await fixture.records.pool.withTransaction { connection in
                try await stage.publish(result.deliverableOfBatches, from: target.nextBatch, on: connection)
            }
            return result
        } catch {
            try await stage.discard()
            throw error
        }
    }

    private func stored(_ campaign: CampaignID, _ fixture: CampaignFixture) async throws -> [Stored] {
        let key = try await fixture.vault.campaignKey(fixture.account, campaign)
        let rows = try await fixture.records.pool.query(
            """
            SELECT batch_no, state, recipients, sealed
            FROM batches JOIN batch_recipients USING (account_id, campaign_id, batch_no)
            WHERE account_id = \(fixture.account.rawValue) AND campaign_id = \(campaign.rawValue) ORDER BY batch_no
            """)
        return try rows.map { row in
            let (number, state, deliverable, sealed) = try row.decode(Int32.self, Int16.self, Int32.self, [UInt8].self)
            let place = SealContext(
                BatchID(account: fixture.account, campaign: campaign, number: number), purpose: .recipients)
            return Stored(
                number: number, state: state, deliverable: deliverable,
                records: try RecipientBatch(decoding: key.open(sealed, as: place)).records)
        }
    }
}
