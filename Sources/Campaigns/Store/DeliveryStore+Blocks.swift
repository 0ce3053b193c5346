import Logging
package import MailTypes
import Postgres

extension DeliveryStore {
    /// What has been answered to the first attempts of a campaign by now.
    package typealias AnswerCount = (account: AccountID, campaign: CampaignID, answers: Double, blocks: Double)

    /// Adds what a node has heard to what all nodes have. Waits for a moment only where somebody has locked rows of a campaign.
    ///
    /// - Parameter memory: answers, 2 or more, at which the older ones begin to count less: then all counts are brought down
    ///   to half of it.
    /// - Returns: what there is of each campaign by now, without those whose data is destroyed; and what was not added,
    ///   because somebody has locked rows of the account, or the database went away in between.
    package func count(
        _ heard: [CampaignAnswers], memory: Int
    ) async throws -> (counts: [AnswerCount], held: [CampaignAnswers]) {
        do {
            return (try await add(heard, memory: memory), [])
        } catch let error where Self.isLockedOut(error) {
            return try await addOneByOne(heard, memory: memory)
        }
    }

    private func addOneByOne(
        _ heard: [CampaignAnswers], memory: Int
    ) async throws -> (counts: [AnswerCount], held: [CampaignAnswers]) {
        var (counts, held): ([AnswerCount], [CampaignAnswers]) = ([], [])
        for (index, answers) in heard.enumerated() {
            // The others of an account would only wait as well.
            guard !held.contains(where: { $0.account == answers.account }) else {
                held.append(answers)
                continue
            }
            do {
                counts += try await add([answers], memory: memory)
            } catch let error where Self.isLockedOut(error) {
                held.append(answers)
            } catch  where !counts.isEmpty {
                // What was added must not be added again.
                logger.warning("blocks of campaigns not counted", metadata: ["error": "\(error)"])
                return (counts, held + heard[index...])
            }
        }
        return (counts, held)
    }

    private func add(_ heard: [CampaignAnswers], memory: Int) async throws -> [AnswerCount] {
        guard !heard.isEmpty else { return [] }
        return try await records.withTransaction { connection in
            try await Self.waitBriefly(on: connection)
            try await note(heard.filter { !$0.blocks.isEmpty }, on: connection)
            let memory = Double(memory)
            return try await connection.query(
                """
                INSERT INTO campaign_answers AS a (account_id, campaign_id, answers, blocks)
                SELECT c.account_id, c.campaign_id, n.answers, n.blocks
                FROM unnest(
                    \(heard.map(\.account.rawValue)), \(heard.map(\.campaign.rawValue)),
                    \(heard.map { Double($0.answers) }), \(heard.map { Double($0.blocked) })
                ) AS n (account_id, campaign_id, answers, blocks)
                JOIN campaigns c USING (account_id, campaign_id)
                WHERE c.purged_at IS NULL
                ORDER BY 1, 2
                ON CONFLICT (account_id, campaign_id) DO UPDATE
                SET (answers, blocks) = (
                    SELECT s.answers * s.kept, s.blocks * s.kept
                    FROM (
                        SELECT t.answers, t.blocks,
                            CASE WHEN t.answers >= \(memory) THEN \(memory) / 2 / t.answers ELSE 1 END AS kept
                        FROM (
                            SELECT a.answers + excluded.answers AS answers, a.blocks + excluded.blocks AS blocks) t) s)
                RETURNING account_id, campaign_id, answers, blocks
                """
            ).map { row in
                let (account, campaign, answers, blocks) = try row.decode(
                    Int64.self, Int64.self, Double.self, Double.self)
                return (AccountID(rawValue: account), CampaignID(rawValue: campaign), answers, blocks)
            }
        }
    }

    /// The replies of a campaign are few; of more kinds than these only the counts of the first are kept.
    private static let mostReplies = 20

    private func note(_ heard: [CampaignAnswers], on connection: PostgresConnection) async throws {
        let rows = heard.flatMap { heard in heard.blocks.map { (heard, $0.key, $0.value) } }
        guard !rows.isEmpty else { return }
        try await connection.query(
            """
            INSERT INTO campaign_blocks AS b (account_id, campaign_id, code, enhanced, text, count)
            SELECT c.account_id, c.campaign_id, n.code, n.enhanced, n.text, n.count
            FROM unnest(
                \(rows.map(\.0.account.rawValue)), \(rows.map(\.0.campaign.rawValue)),
                \(rows.map { Int32($0.1.code) }), \(rows.map { $0.1.enhanced?.description ?? "" }),
                \(rows.map(\.2.text)), \(rows.map { Int64($0.2.count) })
            ) AS n (account_id, campaign_id, code, enhanced, text, count)
            JOIN campaigns c USING (account_id, campaign_id)
            WHERE c.purged_at IS NULL AND (
                EXISTS (
                    SELECT FROM campaign_blocks o
                    WHERE o.account_id = n.account_id AND o.campaign_id = n.campaign_id AND o.code = n.code
                        AND o.enhanced = n.enhanced)
                OR (SELECT count(*) FROM campaign_blocks o
                    WHERE o.account_id = n.account_id AND o.campaign_id = n.campaign_id) < \(Int64(Self.mostReplies)))
            ORDER BY 1, 2, 3, 4
            ON CONFLICT (account_id, campaign_id, code, enhanced) DO UPDATE
            SET count = b.count + excluded.count, text = excluded.text, last_at = clock_timestamp()
            """)
    }

    /// What waits for others here keeps the counts of all campaigns waiting.
    private static func waitBriefly(on connection: PostgresConnection) async throws {
        try await connection.query("SET LOCAL lock_timeout = '100ms'")
    }

    /// Pauses a campaign for what its sender is, so that its customer can mend the cause and resume it. Waits for a moment
    /// only where somebody has locked it.
    ///
    /// - Parameter reason: for the customer and the operator; names no recipient.
    /// - Returns: false where there is nothing to pause any more.
    package func pause(_ account: AccountID, _ campaign: CampaignID, reason: String) async throws -> Bool {
        do {
            try await records.withTransaction { connection in
                try await Self.waitBriefly(on: connection)
                try await Campaign.pause(account, campaign, reason: reason, on: connection)
            }
            return true
        } catch let error as CampaignError where error.code == .notFound || error.code == .illegalTransition {
            return false
        }
    }
}
