import CreditLedger
import Identity
import MailTypes
import Postgres
import TestDatabases
import TestStores

@testable import Vault

/// Databases at the schema of 430, and over them the services of the present version, for what has not changed since
/// and for what comes after the migrations.
struct OlderStores: Sendable {
    let stores: Stores

    var records: TestDatabase { stores.records }
    var vault: Vault { stores.vault }
    var ledger: CreditLedger { stores.ledger }

    static func open() async throws -> OlderStores {
        OlderStores(
            stores: try await Stores.open(adding: IdentitySchema.migrations, where: Schemas.older))
    }

    /// An account with credits, a domain and a key, as the older version has made them.
    func account(_ name: String, credits: Int64) async throws -> AccountID {
        let account = try await records.pool.withTransaction { connection in
            let account = AccountID(
                rawValue: try await connection.query(
                    """
                    WITH named AS (
                        INSERT INTO account_names (name) VALUES (\(name)) ON CONFLICT (name) DO NOTHING RETURNING account_id
                    )
                    INSERT INTO accounts (account_id, name, credit_limit)
                    SELECT account_id, \(name), \(0 as Int64) FROM named
                    RETURNING account_id
                    """
                ).only.decode(Int64.self))
            try await ledger.grant(credits, to: account, key: "first", memo: "test", on: connection)
            return account
        }
        let key = try vault.wrappingKey.seal(
            SealingKey().bytes, as: SealContext(account: account, purpose: .accountKey))
        try await stores.vaultDatabase.pool.query(
            "INSERT INTO account_keys (account_id, wrapped) VALUES (\(account.rawValue), \(key))")
        try await records.pool.query(
            "INSERT INTO domains (account_id, domain) VALUES (\(account.rawValue), \("shop.example"))")
        return account
    }

    func nextCampaign() -> CampaignID {
        CampaignID(rawValue: .random(in: 1 ... .max))
    }

    /// Applies the migrations up to a version as another node does at its start; nobody is waited for.
    func migrate(upTo version: Int = .max) async throws {
        let list = Schemas.records.filter { Schemas.older($0) || $0.version <= version }
        _ = try await records.owner.withConnection { try await Migrations.apply(list, on: $0) }
    }
}
