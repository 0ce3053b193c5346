package import MailTypes
import Postgres

extension SendingDomains {
    /// The label of return paths below their From domain.
    private static let returnPathLabel = "bounce."

    /// Whether mail to the domain comes back to a sender of ours: it is the return path of a domain that is proven, or
    /// that one above it proves; or that `account` has registered.
    package func isReturnPath(_ domain: DomainName, of account: AccountID? = nil) async throws -> Bool {
        guard domain.text.hasPrefix(Self.returnPathLabel),
            let sender = try? DomainName(String(domain.text.dropFirst(Self.returnPathLabel.utf8.count)))
        else { return false }
        let names = SendingDomain.withAncestors(sender)
        let number = account?.rawValue
        return try await records.query(
            """
            SELECT EXISTS (SELECT FROM domain_owners WHERE domain = ANY(\(names)))
                OR EXISTS (SELECT FROM domains WHERE account_id = \(number as Int64?) AND domain = \(sender.text))
                OR \(trusts) AND EXISTS (SELECT FROM domains WHERE domain = ANY(\(names)))
            """
        ).only.decode(column: 0, as: Bool.self)
    }
}
