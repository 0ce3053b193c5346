import Campaigns
import CreditLedger
import Feedback
import Identity
import Logging
import MailTypes
import Postgres
import SendingDomains
import Vault
import Webhooks

/// What serves customers, over sessions to which the database shows the rows of one account alone: that of
/// `ConnectionOwner.current`. Without one they see nothing (decision 0117).
struct CustomerRecords: Sendable {
    let pool: PostgresPool
    let keys: APIKeys
    let members: Members
    let memberSessions: MemberSessions
    let invitations: Invitations
    let suppressions: SuppressionList
    let domains: SendingDomains
    let campaigns: CampaignService
    let webhooks: WebhookEndpoints
    let unsubscriber: Unsubscriber

    /// - Parameters:
    ///   - sessions: of all people: who is removed is forgotten there.
    ///   - domains: shares its signers.
    ///   - feedback: takes in that a recipient wants no more, in the transaction that it is given.
    ///   - openTestAccount: in a session that sees all accounts.
    ///   - limits: what was set for accounts.
    init(
        _ pools: Pools, vault: Vault, ledger: CreditLedger, sessions: Sessions, domains: SendingDomains,
        feedback: FeedbackIntake, openTestAccount: @escaping APIKeys.TestAccountOpening, resultsFor: Int,
        refundFor: Int, allowsPrivate: Bool, limits: AccountLimits, logger: Logger
    ) {
        pool = pools.api
        keys = APIKeys(
            pool: pools.api, lookups: pools.intake, limits: limits, openTestAccount: openTestAccount)
        members = Members(pool: pools.api, sessions: sessions)
        memberSessions = MemberSessions(pool: pools.api, sessions: sessions)
        invitations = Invitations(pool: pools.api)
        suppressions = SuppressionList(records: pools.api, vault: vault, limits: limits)
        self.domains = domains.over(pools.api)
        campaigns = CampaignService(
            records: pools.api, uploads: pools.uploads, housekeeping: pools.housekeeping, vault: vault, ledger: ledger,
            suppressions: suppressions, domains: self.domains, resultsFor: resultsFor, refundFor: refundFor,
            limits: limits, logger: logger)
        webhooks = WebhookEndpoints(records: pools.api, vault: vault, allowsPrivate: allowsPrivate, limits: limits)
        unsubscriber = Unsubscriber(
            records: pools.api, vault: vault, suppressions: suppressions, feedback: feedback)
    }
}
