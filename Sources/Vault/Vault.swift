import Crypto
package import MailTypes
package import Postgres

/// Keeps the keys that open sealed data, and destroys them.
///
/// Each campaign has a random key, each account another; both lie in the vault database wrapped under the master key.
/// Destroying a campaign's key makes every copy of its sealed data unreadable, backups of the records included (P6).
///
///     let key = try await vault.createCampaignKey(account, campaign)
///     let sealed = try key.seal(bytes, as: SealContext(account: account, campaign: campaign, purpose: .content))
///     _ = try await vault.destroyCampaignKey(account, campaign)   // `sealed` is noise from here on
package final class Vault: Sendable {
    private struct CampaignKeyID: Hashable, Sendable {
        let account: AccountID
        let campaign: CampaignID
    }

    /// Keys of each kind kept in memory.
    package static let cachedKeys = 1_000

    let pool: PostgresPool
    let records: PostgresPool
    private let masterKey: MasterKey
    let wrappingKey: SealingKey
    private let campaignKeys = KeyCache<CampaignKeyID, SealingKey>(capacity: cachedKeys)
    let accountKeyCache = KeyCache<AccountID, AccountKeys>(capacity: cachedKeys)

    /// - Parameters:
    ///   - pool: connections to the vault database, with ``migrations`` applied.
    ///   - records: connections to the records, with ``recordsMigrations`` applied: they tell a lost key from one that never
    ///     was.
    package init(pool: PostgresPool, records: PostgresPool, masterKey: MasterKey) {
        self.pool = pool
        self.records = records
        self.masterKey = masterKey
        wrappingKey = SealingKey(masterKey.derive(.wrapping))
    }

    /// Compares the master key with the one that the vault was started with. Call it before any other use.
    ///
    /// - Returns: true where the vault is new and this master key is now its own. If the records database already has
    ///   accounts then, the vault was lost, and with it the fingerprints that suppressions are found by.
    /// - Throws: ``VaultError/Code/wrongMasterKey``
    @discardableResult
    package func checkMasterKey() async throws -> Bool {
        let checkKey = SealingKey(masterKey.derive(.masterKeyCheck))
        let context = SealContext(account: AccountID(rawValue: 0), purpose: .masterKeyCheck)
        let sealed = try checkKey.seal(Self.checkText, as: context)
        let isNew =
            try await pool.query(
                "INSERT INTO vault_check (sealed) VALUES (\(sealed)) ON CONFLICT DO NOTHING"
            ).affected == 1
        guard let row = try await pool.query("SELECT sealed FROM vault_check").first else {
            throw VaultError(.noKey, "the vault lost its check value")
        }
        guard let text = try? checkKey.open(row.decode([UInt8].self), as: context), text == Self.checkText else {
            throw VaultError(
                .wrongMasterKey,
                "the master key is not the one that this vault was made with; start with the earlier key, from its "
                    + "file or environment variable")
        }
        return isNew
    }

    /// Makes and stores the key of a new campaign.
    ///
    /// - Throws: ``VaultError/Code/keyExists``
    package func createCampaignKey(_ account: AccountID, _ campaign: CampaignID) async throws -> SealingKey {
        let id = CampaignKeyID(account: account, campaign: campaign)
        let generation = campaignKeys.generation
        let key = SealingKey()
        let wrapped = try wrappingKey.seal(key.bytes, as: Self.context(id))
        let rows = try await pool.query(
            """
            INSERT INTO campaign_keys (account_id, campaign_id, wrapped)
            VALUES (\(account.rawValue), \(campaign.rawValue), \(wrapped))
            ON CONFLICT DO NOTHING
            """)
        guard rows.affected == 1 else {
            throw VaultError(.keyExists, "campaign \(campaign) has a key already")
        }
        campaignKeys.insert(key, for: id, since: generation)
        return key
    }

    /// - Throws: ``VaultError`` `.destroyed` once the campaign is purged, `.noKey` where it never had one,
    ///   `.notAuthentic` where the stored row was altered.
    package func campaignKey(_ account: AccountID, _ campaign: CampaignID) async throws -> SealingKey {
        let id = CampaignKeyID(account: account, campaign: campaign)
        if let key = campaignKeys.value(for: id) { return key }
        let generation = campaignKeys.generation
        let rows = try await pool.query(
            """
            SELECT wrapped FROM campaign_keys
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue)
            """)
        guard let row = rows.first else {
            throw VaultError(.noKey, "the vault has no key of campaign \(campaign)")
        }
        guard let wrapped = try row.decode(column: 0, as: [UInt8]?.self) else {
            throw VaultError(.destroyed, "the key of campaign \(campaign) was destroyed")
        }
        let key = try SealingKey(bytes: wrappingKey.open(wrapped, as: Self.context(id)))
        campaignKeys.insert(key, for: id, since: generation)
        return key
    }

    /// Destroys the campaign's key for good, in the database and in this process.
    ///
    /// - Returns: whether there was a key; false where it was destroyed before or never existed.
    package func destroyCampaignKey(_ account: AccountID, _ campaign: CampaignID) async throws -> Bool {
        defer { forget(account, campaign) }
        let rows = try await pool.query(
            """
            UPDATE campaign_keys SET wrapped = NULL, destroyed_at = now()
            WHERE account_id = \(account.rawValue) AND campaign_id = \(campaign.rawValue) AND wrapped IS NOT NULL
            """)
        return rows.affected == 1
    }

    /// Drops the campaign's key from this process's memory, say because another node destroyed it.
    package func forget(_ account: AccountID, _ campaign: CampaignID) {
        campaignKeys.remove(CampaignKeyID(account: account, campaign: campaign))
    }

    /// Key of the ledger's hash chain, 32 octets. Derived, so that whoever rewrites the records database cannot also
    /// rewrite the chain.
    package var ledgerChainKey: [UInt8] {
        masterKey.derive(.ledgerChain).withUnsafeBytes { Array($0) }
    }

    /// Seals what tells providers' reports from others', and the reports until they are worked off. They belong to the
    /// installation, so that no account's key fits.
    package var providerKey: SealingKey { SealingKey(masterKey.derive(.providerWebhooks)) }

    /// Seals the keys of certificates and of accounts at their authorities, which belong to the installation.
    package var certificateKey: SealingKey { SealingKey(masterKey.derive(.certificates)) }

    /// Seals the keys that sign session tokens.
    package var sessionKey: SealingKey { SealingKey(masterKey.derive(.sessions)) }

    /// Seals what users' apps make codes of. Operators are of no account, so no account's key fits.
    package var secondFactorKey: SealingKey { SealingKey(masterKey.derive(.secondFactors)) }

    /// Key of the hashes that stand for who tries to sign in, and of what proves that a request comes from a page of ours. 32
    /// octets.
    package var peopleKey: [UInt8] { masterKey.derive(.people).withUnsafeBytes { Array($0) } }

    private static func context(_ id: CampaignKeyID) -> SealContext {
        SealContext(account: id.account, campaign: id.campaign, purpose: .campaignKey)
    }

    private static let checkText = Array("sluice vault".utf8)
}
