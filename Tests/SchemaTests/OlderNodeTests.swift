import CreditLedger
import MailTypes
import Postgres
import TestDatabases
import TestStores
import Testing
import Vault

@testable import Campaigns

/// A node keeps sending while another one, of a newer version, brings the database to its schema.
struct OlderNodeTests {
    @Test func `a node of an older version works on after each migration`() async throws {
        let older = try await OlderStores.open()
        let account = try await older.account("busy", credits: 1_000)
        let node = try await OlderNode.start("older", older)
        var rounds = 0
        try await work(node, account, "at the start")
        for migration in Schemas.newer {
            try await older.migrate(upTo: migration.version)
            rounds += 1
            let context = "after \(migration.version) (\(migration.name))"
            do { try await work(node, account, context) } catch {
                Issue.record("\(context): \(error)")
                return
            }
            let balance = try await older.stores.balance(account)
            #expect(balance.posted == 1_000 - 2 * Int64(rounds + 1), "after \(migration.version)")
            #expect(balance.held == 0, "after \(migration.version)")
        }
        #expect(rounds > 20)
        #expect(try await older.stores.problemsOfBooks() == [])
    }

    /// A campaign from its draft to its purge: five recipients in two batches, two of them charged.
    private func work(_ node: OlderNode, _ account: AccountID, _ context: String) async throws {
        #expect(try await node.heartbeat() == 1, "\(context)")
        #expect(try await node.leaseSiteTokens(context, rate: 2, wanted: 5) == 2, "\(context)")
        let campaign = try await node.draft(account, recipients: 5)
        try await node.send(account, campaign)
        // Another life of the node finds the leases of the one before, and frees them.
        #expect(try await node.claim(limit: 8).map(\.epoch) == [1, 1], "\(context)")
        #expect(try await node.adopt().count == 2, "\(context)")
        try await node.register()
        let claims = try await node.claim(limit: 8)
        #expect(claims.map(\.epoch) == [2, 2] && claims.map(\.state) == [1, 1], "\(context)")
        try #require(claims.map { $0.records.map(\.index) } == [[0, 1, 2], [3, 4]], "\(context)")
        try await journal(node, claims, campaign, context)
        try await end(node, claims, account, campaign, context)
    }

    private func journal(
        _ node: OlderNode, _ claims: [OlderNode.Claim], _ campaign: CampaignID, _ context: String
    ) async throws {
        let groups = [claims[0].group([0: .delivered, 1: .bounced, 2: nil]), claims[1].intents([3])]
        #expect(try await node.append(groups) == [1: 1, 2: 1], "\(context)")
        // The answer was lost, and they are sent again: nothing counts twice.
        #expect(try await node.append(groups) == [1: 1, 2: 1], "\(context)")
        #expect(try await counters(campaign, node) == [1, 1, 0, 1], "\(context)")
        #expect(try await node.renew(claims) == [1, 2], "\(context)")
        try await node.settle(
            claims[0],
            OlderNode.Settlement(
                results: [
                    RecipientResult(index: 0, outcome: .delivered), RecipientResult(index: 1, outcome: .bounced),
                ],
                retry: [claims[0].records[2]]))
    }

    private func end(
        _ node: OlderNode, _ claims: [OlderNode.Claim], _ account: AccountID, _ campaign: CampaignID, _ context: String
    ) async throws {
        try await node.pause(account, campaign)
        #expect(try await node.append([claims[1].question]) == [2: 2], "\(context)")
        try await node.recall()
        #expect(try await node.claim(limit: 8).isEmpty, "\(context)")
        try await node.resume(account, campaign)
        #expect(try await node.append([claims[1].question]) == [2: 1], "\(context)")
        try await node.cancel(account, campaign)
        #expect(
            try await node.append([
                JournalGroup(
                    batch: claims[1].id, epoch: 2,
                    entries: [
                        JournalEntry(index: 3, kind: .outcome(.delivered))
                    ])
            ]) == [2: 4], "\(context)")
        try await node.settle(
            claims[1],
            OlderNode.Settlement(
                results: [
                    RecipientResult(index: 3, outcome: .delivered), RecipientResult(index: 4, outcome: .cancelled),
                ], ended: 1))
        #expect(try await counters(campaign, node) == [2, 1, 2, 0], "\(context)")
        #expect(try await node.unfinished() == [campaign], "\(context)")
        try await node.purge(account, campaign)
        #expect(try await node.unfinished().isEmpty, "\(context)")
        #expect(try await node.claim(limit: 8).isEmpty, "\(context)")
    }

    /// Delivered, bounced, cancelled, deferred.
    private func counters(_ campaign: CampaignID, _ node: OlderNode) async throws -> [Int32] {
        try await node.connection.query(
            """
            SELECT ARRAY[delivered, bounced, cancelled, deferred] FROM campaigns
            WHERE campaign_id = \(campaign.rawValue)
            """
        ).only.decode(column: 0, as: [Int32].self)
    }

    @Test func `what newer nodes have written of a campaign goes with an older node's purge`() async throws {
        let older = try await OlderStores.open()
        let account = try await older.account("first", credits: 10)
        let node = try await OlderNode.start("older", older)
        try await older.migrate()
        let campaign = try await node.draft(account, recipients: 2)
        try await node.send(account, campaign)
        for statement: SQL in [
            "INSERT INTO campaign_answers VALUES (\(account.rawValue), \(campaign.rawValue), 3, 1)",
            """
            INSERT INTO campaign_blocks (account_id, campaign_id, code, enhanced, text, count)
            VALUES (\(account.rawValue), \(campaign.rawValue), 550, '', 'no more mail for person1', 1)
            """,
            "INSERT INTO uploads (account_id, campaign_id) VALUES (\(account.rawValue), \(campaign.rawValue))",
            "UPDATE campaigns SET pause_reason = 'blocked' WHERE campaign_id = \(campaign.rawValue)",
        ] { try await older.records.pool.query(statement) }
        try await node.cancel(account, campaign)
        try await node.purge(account, campaign)
        #expect(try await tables(with: campaign, older) == ["campaign_blocks", "campaigns", "holds", "ledger_entries"])
        let left = try await older.records.owner.query(
            """
            SELECT text, coalesce(pause_reason, '') FROM campaign_blocks
            JOIN campaigns USING (account_id, campaign_id)
            """
        )
        #expect(try left.only.decode(String.self, String.self) == ("", ""))
    }

    private func tables(with campaign: CampaignID, _ older: OlderStores) async throws -> [String] {
        let names = try await older.records.owner.query(
            """
            SELECT table_name::text FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name = 'campaign_id' ORDER BY 1
            """
        ).map { try $0.decode(String.self) }
        var found: [String] = []
        for name in names {
            let rows = try await older.records.owner.query(
                "SELECT FROM \(identifier: name) WHERE campaign_id = \(campaign.rawValue)")
            if !rows.isEmpty { found.append(name) }
        }
        return found
    }
}
