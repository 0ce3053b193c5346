import CreditLedger
import MailTypes
import Postgres

extension DeliveryStore {
    /// Compares what settled campaigns say of themselves with the books of their accounts, which are chained: each
    /// recipient that counts as delivered was charged, and each purge certificate is the one that was noted. So books
    /// that were cut off at their end show, as long as the campaigns are there, and so do campaigns that were changed.
    /// Test accounts have no books.
    ///
    /// Reads one snapshot, page by page.
    ///
    /// - Parameter limit: of findings
    /// - Returns: what does not fit, with numbers of accounts and campaigns, and no personal data.
    package func bookProblems(limit: Int = 1_000) async throws -> [String] {
        try await housekeeping.withConnection { connection in
            try await connection.execute(script: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            do {
                var problems: [String] = []
                var last: SettledCampaign?
                repeat {
                    let page = try await settledCampaigns(after: last, on: connection)
                    problems += try await compare(page, on: connection)
                    last = page.count == Int(Self.pageRows) ? page.last : nil
                } while last != nil && problems.count < limit
                try await connection.execute(script: "COMMIT")
                return Array(problems.prefix(limit))
            } catch {
                // The first error is the one to report; a connection that cannot roll back is closed by its pool.
                try? await connection.execute(script: "ROLLBACK")
                throw error
            }
        }
    }

    private static let pageRows: Int32 = 1_000

    private struct SettledCampaign {
        let account: AccountID
        let campaign: CampaignID
        let delivered: Int64
        let certificate: String?
    }

    /// Sent campaigns without an open batch, by account and number.
    private func settledCampaigns(
        after last: SettledCampaign?, on connection: PostgresConnection
    ) async throws -> [SettledCampaign] {
        try await connection.query(
            """
            SELECT account_id, campaign_id, delivered::bigint, certificate FROM campaigns
            WHERE (account_id, campaign_id) > (\(last?.account.rawValue ?? 0), \(last?.campaign.rawValue ?? 0))
                AND account_id <= \(AccountID.mostLive) AND state <> 'draft' AND open_batches = 0
            ORDER BY account_id, campaign_id LIMIT \(Self.pageRows)
            """
        ).map { row in
            let (account, campaign, delivered, certificate) = try row.decode(
                Int64.self, Int64.self, Int64.self, String?.self)
            return SettledCampaign(
                account: AccountID(rawValue: account), campaign: CampaignID(rawValue: campaign), delivered: delivered,
                certificate: certificate)
        }
    }

    private func compare(_ page: [SettledCampaign], on connection: PostgresConnection) async throws -> [String] {
        var problems: [String] = []
        for (account, campaigns) in Dictionary(grouping: page, by: \.account).sorted(by: {
            $0.key.rawValue < $1.key.rawValue
        }) {
            let numbers = campaigns.map(\.campaign)
            let charges = try await ledger.charges(account, numbers, on: connection)
            let digests = try await ledger.purgeDigests(account, numbers, on: connection)
            for campaign in campaigns {
                func report(_ problem: String) {
                    problems.append("account \(account), campaign \(campaign.campaign): \(problem)")
                }
                let charged = charges[campaign.campaign] ?? 0
                if charged != campaign.delivered {
                    report("\(campaign.delivered) recipients count as delivered, \(charged) were charged")
                }
                let digest = campaign.certificate.flatMap { try? PurgeCertificate(json: $0) }?.digest
                if campaign.certificate != nil, digest == nil || digest != digests[campaign.campaign] {
                    report("the purge certificate is not the one that the books noted")
                }
                if campaign.certificate == nil, digests[campaign.campaign] != nil {
                    report("the books note a purge that the campaign knows nothing of")
                }
            }
        }
        return problems
    }
}
