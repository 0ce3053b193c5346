package import MailTypes
package import Postgres
package import Vault

extension SuppressionList {
    /// Those of the addressees that must not be mailed, of any number of accounts: by their accounts' lists, and by the
    /// installation's.
    ///
    /// One statement, and a second one only where the installation's list has something in it, as committed at this moment.
    ///
    /// - Returns: by the accounts' fingerprints
    /// - Throws: `PostgresError`; `VaultError` where the installation's list cannot be read: then nobody may be mailed
    package func which(
        of addressees: [AccountID: [Addressee]], on connection: PostgresConnection
    ) async throws -> [AccountID: Set<Fingerprint>] {
        let asked = addressees.flatMap { account, those in those.map { (account: account, addressee: $0) } }
        var found: [AccountID: Set<Fingerprint>] = [:]
        for start in stride(from: 0, to: asked.count, by: SuppressionLimits.statementRows) {
            let part = asked[start..<min(start + SuppressionLimits.statementRows, asked.count)]
            // Looked up one by one, so that no plan reads the whole table.
            let rows = try await connection.query(
                """
                SELECT k.account_id, s.fingerprint
                FROM unnest(
                    \(part.map(\.account.rawValue))::bigint[], \(part.map(\.addressee.fingerprint.bytes))::bytea[])
                    AS k (account_id, fingerprint)
                CROSS JOIN LATERAL (
                    SELECT t.fingerprint FROM suppressions t
                    WHERE t.account_id = k.account_id AND t.fingerprint = k.fingerprint LIMIT 1) s
                UNION ALL
                SELECT \(Vault.installation.rawValue), '' WHERE EXISTS (SELECT FROM installation_suppressions)
                """)
            var isListedForAll = false
            for row in rows {
                let (account, bytes) = try row.decode(Int64.self, [UInt8].self)
                if let fingerprint = Fingerprint(bytes: bytes) {
                    found[AccountID(rawValue: account), default: []].insert(fingerprint)
                } else {
                    isListedForAll = true
                }
            }
            guard isListedForAll else { continue }
            for (account, fingerprint) in try await listedForAll(part, on: connection) {
                found[account, default: []].insert(fingerprint)
            }
        }
        return found
    }

    /// Those of the addressees that must not be mailed. Any number of them.
    package func which(
        of addressees: [Addressee], account: AccountID, on connection: PostgresConnection
    ) async throws -> Set<Fingerprint> {
        try await which(of: [account: addressees], on: connection)[account] ?? []
    }

    private func listedForAll(
        _ asked: ArraySlice<(account: AccountID, addressee: Addressee)>, on connection: PostgresConnection
    ) async throws -> [(AccountID, Fingerprint)] {
        let fingerprinter = try await vault.installationKeys(on: connection).fingerprinter
        let keyed = asked.map { (fingerprinter.fingerprint($0.addressee.address), $0) }
        let rows = try await connection.query(
            """
            SELECT s.fingerprint FROM unnest(\(keyed.map(\.0.bytes))::bytea[]) AS k (fingerprint)
            CROSS JOIN LATERAL (
                SELECT t.fingerprint FROM installation_suppressions t
                WHERE t.account_id = \(Vault.installation.rawValue) AND t.fingerprint = k.fingerprint LIMIT 1) s
            """)
        let listed = Set(try rows.compactMap { Fingerprint(bytes: try $0.decode([UInt8].self)) })
        return keyed.filter { listed.contains($0.0) }.map { ($0.1.account, $0.1.addressee.fingerprint) }
    }
}
