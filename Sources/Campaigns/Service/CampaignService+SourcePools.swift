import MailTypes
import Postgres

// A campaign may leave from a pool of source addresses that its operator has opened to its account: see
// ``AccountShaping/campaignPools``.
extension CampaignService {
    /// - Throws: ``CampaignError`` `.sourcePoolUnknown`
    func requirePool(_ pool: String?, _ account: AccountID, on connection: PostgresConnection) async throws {
        guard let problem = try await problem(ofPool: pool, account, on: connection) else { return }
        throw CampaignError(.sourcePoolUnknown, problem)
    }

    /// What keeps the account's mail from the pool; nil if nothing does, or no pool is named. While no node delivers, it
    /// is not known which pools there are.
    func problem(
        ofPool pool: String?, _ account: AccountID, on connection: PostgresConnection
    ) async throws -> String? {
        guard let pool else { return nil }
        let open = try await poolsOpen(to: account, on: connection)
        guard open.contains(pool) else {
            return "the account has no source pool of this name; it has \(open.sorted().joined(separator: ", "))"
        }
        let (nodes, having) = try await connection.query(
            """
            SELECT count(*), count(*) FILTER (WHERE \(pool) = ANY (pools)) FROM nodes
            WHERE pools IS NOT NULL AND seen_at > clock_timestamp() - make_interval(secs => \(Self.nodeSeconds))
            """
        ).only.decode(Int64.self, Int64.self)
        return nodes > 0 && having == 0 ? "no node that delivers now has the source pool \(pool)" : nil
    }

    private func poolsOpen(to account: AccountID, on connection: PostgresConnection) async throws -> Set<String> {
        let rows = try await connection.query(
            "SELECT pool, campaign_pools FROM account_shaping WHERE account_id = \(account.rawValue)")
        let (own, open) = try rows.first?.decode(String?.self, [String].self) ?? (nil, [])
        return Set(open).union([own ?? AccountShaping.defaultPool])
    }

    /// Nodes not heard of for so long are taken for gone. They tell of themselves every two seconds.
    private static let nodeSeconds = 60.0
}
