package import MailTypes
import Postgres
import SendingDomains

/// A campaign's mail leaves only as a domain that is proven to be its account's.
extension CampaignService {
    /// Forgets a sending domain and its keys.
    ///
    /// - Throws: `SendingDomainError` `.domainNotFound`, `.domainInUse` while an unfinished campaign sends from it, or from
    ///   a domain below it
    package func removeDomain(_ account: AccountID, _ domain: DomainName) async throws {
        try await domains.remove(account, domain) { connection in
            try await !connection.query(
                """
                SELECT FROM campaigns
                WHERE account_id = \(account.rawValue)
                    AND (from_domain = \(domain.text) OR right(from_domain, \(Int32(domain.text.utf8.count + 1))) = \("." + domain.text))
                    AND purged_at IS NULL AND results_until IS NULL
                LIMIT 1
                """
            ).isEmpty
        }
    }

    /// Pauses the campaigns under way whose domain has stopped, and those of the domains below that sent by its proof.
    ///
    /// - Returns: how many.
    package func pauseUnproven() async throws -> Int {
        var count = 0
        for (account, domain) in try await domains.pausing() {
            for (campaign, from) in try await underWay(account, from: domain) {
                guard try await !domains.permission(account, from).sends else { continue }
                do {
                    try await records.withTransaction { connection in
                        try await Campaign.pause(account, campaign, reason: Self.pauseReason(from), on: connection)
                    }
                    count += 1
                } catch let error as CampaignError where error.code == .notFound || error.code == .illegalTransition {
                    // It has ended meanwhile.
                }
            }
            try await domains.paused(account, domain)
        }
        return count
    }

    /// For the customer.
    package static func pauseReason(_ domain: DomainName) -> String {
        "the DNS does not prove that \(domain) is yours: publish its records, have it verified, then resume"
    }

    func requireDomain(
        _ domain: DomainName, _ account: AccountID, on connection: PostgresConnection
    ) async throws {
        guard try await domains.permission(account, domain, on: connection).isRegistered else {
            throw CampaignError(.domainNotRegistered, "\(domain) is not one of the account's sending domains")
        }
    }

    func requireProof(
        of domain: String, _ account: AccountID, on connection: PostgresConnection
    ) async throws {
        guard try await domains.permission(account, DomainName(domain), on: connection).sends else {
            throw CampaignError(
                .domainNotProven,
                "the DNS does not prove yet that \(domain) is yours: publish its records and have it verified")
        }
    }

    /// Empty where the domain may send.
    func unprovenDomain(
        of domain: String, _ account: AccountID, recipients: Int, on connection: PostgresConnection
    ) async throws -> [ReachWarning] {
        guard try await !domains.permission(account, DomainName(domain), on: connection).sends else { return [] }
        return [
            ReachWarning(
                code: .domainNotProven,
                detail: "the DNS does not prove yet that \(domain) is yours; the campaign cannot be sent before",
                recipients: recipients)
        ]
    }

    private func underWay(
        _ account: AccountID, from domain: DomainName
    ) async throws -> [(campaign: CampaignID, from: DomainName)] {
        try await records.query(
            """
            SELECT campaign_id, from_domain FROM campaigns
            WHERE account_id = \(account.rawValue) AND state IN ('queued', 'sending')
                AND (from_domain = \(domain.text) OR right(from_domain, \(Int32(domain.text.utf8.count + 1))) = \("." + domain.text))
                AND purged_at IS NULL AND results_until IS NULL
            ORDER BY campaign_id
            """
        ).map { row in
            let (campaign, from) = try row.decode(Int64.self, String.self)
            return (CampaignID(rawValue: campaign), try DomainName(from))
        }
    }
}
