import ACME
package import Campaigns
package import CreditLedger
package import Feedback
package import Fleet
package import MailTypes
package import Postgres
import ProviderWebhooks
package import SendingDomains
import TLSPolicies
package import TestDatabases
import TestSupport
package import Vault
import Webhooks

/// The services that keep records, each over fresh databases of its own test.
package struct Stores: Sendable {
    package let records: TestDatabase
    package let vaultDatabase: TestDatabase
    package let masterKey: MasterKey
    package let vault: Vault
    package let ledger: CreditLedger
    package let suppressions: SuppressionList
    package let refunds: Refunds
    /// Refunds and suppresses.
    package let feedback: FeedbackIntake
    package let domains: SendingDomains
    package let campaigns: CampaignService
    package let delivery: DeliveryStore
    package let fleet: FleetStore
    /// What was set for accounts: of all services here.
    package let limits: AccountLimits

    /// Of the records, for all services here.
    package static let migrations =
        CreditLedger.migrations + FeedbackSchema.migrations + CampaignSchema.migrations + Vault.recordsMigrations
        + FleetSchema.migrations + TLSPolicySchema.migrations + SendingDomainsSchema.migrations
        + ProviderWebhooksSchema.migrations + WebhookSchema.migrations + ACMESchema.migrations

    /// - Parameters:
    ///   - migrations: of rooms above, beside ``migrations``.
    ///   - resultsFor: seconds for which outcomes can be read after the end of a campaign.
    ///   - refundFor: seconds after the end in which a bounce is refunded.
    ///   - trustsDomains: registered domains count as proven.
    ///   - isIncluded: which migrations the records get; the schema of an older version has not all of them.
    package static func open(
        adding migrations: [Migration] = [], resultsFor: Int = 0, refundFor: Int = 0,
        trustsDomains: Bool = true,
        where isIncluded: (Migration) -> Bool = { _ in true }
    ) async throws -> Stores {
        let records = try await TestDatabase.make(
            migrations: (Self.migrations + migrations).filter(isIncluded), logger: .silent)
        let vaultDatabase = try await TestDatabase.make(migrations: Vault.migrations, logger: .silent)
        let masterKey = MasterKey()
        let vault = Vault(pool: vaultDatabase.pool, records: records.pool, masterKey: masterKey)
        let ledger = CreditLedger(chainKey: vault.ledgerChainKey)
        let limits = AccountLimits()
        let suppressions = SuppressionList(records: records.pool, vault: vault, limits: limits)
        let refunds = Refunds(records: records.pool, ledger: ledger, logger: .silent)
        let feedback = FeedbackIntake(
            records: records.pool,
            followers: [RefundFollower(refunds), SuppressionFollower(suppressions: suppressions)])
        let domains = SendingDomains(
            records: records.pool, vault: vault, trusts: trustsDomains, limits: limits)
        return Stores(
            records: records, vaultDatabase: vaultDatabase, masterKey: masterKey, vault: vault, ledger: ledger,
            suppressions: suppressions, refunds: refunds, feedback: feedback,
            domains: domains,
            campaigns: CampaignService(
                records: records.pool, vault: vault, ledger: ledger, suppressions: suppressions, domains: domains,
                resultsFor: resultsFor, refundFor: refundFor, limits: limits, logger: .silent),
            delivery: DeliveryStore(
                records: records.pool, vault: vault, ledger: ledger, suppressions: suppressions, feedback: feedback,
                logger: .silent),
            fleet: FleetStore(records: records.pool, logger: .silent), limits: limits)
    }

    /// The vault as another process has it: nothing is in memory.
    package func newVault() -> Vault { Vault(pool: vaultDatabase.pool, records: records.pool, masterKey: masterKey) }

    /// An account with credits.
    package func account(_ name: String, credits: Int64) async throws -> AccountID {
        try await records.pool.withTransaction { connection in
            let account = try await ledger.createAccount(name: name, on: connection)
            try await vault.createAccountKey(account, on: connection)
            if credits > 0 {
                try await ledger.grant(credits, to: account, key: "first", memo: "test", on: connection)
            }
            return account
        }
    }

    /// An account with credits and the domain `shop.example`. The domain comes without keys, which take long to make
    /// and are not needed to keep records.
    package func accountWithDomain(_ name: String, credits: Int64) async throws -> AccountID {
        let account = try await account(name, credits: credits)
        try await records.pool.query(
            "INSERT INTO domains (account_id, domain) VALUES (\(account.rawValue), 'shop.example')")
        return account
    }

    /// Opens an account without credits and with the limits of strangers, in the transaction given.
    package var openAccount: @Sendable (String, PostgresConnection) async throws -> AccountID {
        { [ledger, vault] name, connection in
            let account = try await ledger.createAccount(name: name, on: connection)
            try await vault.createAccountKey(account, on: connection)
            try await FleetStore.set(AccountLimit.ofStrangers, reset: [], for: account, on: connection)
            return account
        }
    }

    /// Sees to it that a test account is there, in the transaction given.
    package var openTestAccount: @Sendable (AccountID, PostgresConnection) async throws -> Void {
        { [ledger, vault] account, connection in
            let isNew = try await ledger.openTestAccount(account, on: connection)
            try await vault.createAccountKey(account.test, on: connection)
            if isNew { try await FleetStore.keepStrangersLimits(of: account.test, on: connection) }
        }
    }

    /// The test account of an account, with a domain that nobody has proven.
    ///
    /// - Parameter domain: gets keys; nil: `shop.example` without any.
    package func testAccount(of account: AccountID, domain: String? = nil) async throws -> AccountID {
        try await records.pool.withTransaction { try await openTestAccount(account, $0) }
        if let domain {
            _ = try await domains.add(account.test, DomainName(domain))
        } else {
            try await records.pool.query(
                "INSERT INTO domains (account_id, domain) VALUES (\(account.test.rawValue), 'shop.example')")
        }
        return account.test
    }

    package func balance(_ account: AccountID) async throws -> CreditBalance {
        try await records.pool.withConnection { try await ledger.balance(account, on: $0) }
    }

    /// What the ledger's own examination finds, and the comparison of campaigns with it; empty: the books are right.
    package func problemsOfBooks() async throws -> [String] {
        try await records.pool.withConnection { try await ledger.verify(on: $0).problems } + delivery.bookProblems()
    }
}
