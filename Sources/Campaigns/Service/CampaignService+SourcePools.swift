import Fleet
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
        // Test mail leaves from nowhere.
        guard let pool, !account.isTest else { return nil }
        let open = try await poolsOpen(to: account, on: connection)
        guard open.contains(pool) else {
            return "the account has no source pool of this name; it has \(open.sorted().joined(separator: ", "))"
        }
        let isThere = try await FleetStore.hasPool(pool, on: connection)
        return isThere == false ? "no node that delivers now has the source pool \(pool)" : nil
    }

    private func poolsOpen(to account: AccountID, on connection: PostgresConnection) async throws -> Set<String> {
        let shaping = try await FleetStore.shaping(of: account, on: connection) ?? AccountShaping()
        return Set(shaping.campaignPools).union([shaping.pool ?? AccountShaping.defaultPool])
    }
}
