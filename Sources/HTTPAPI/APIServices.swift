package import Campaigns
package import CreditLedger
package import Feedback
package import Identity
package import MailTypes
package import Postgres
package import ProviderWebhooks
package import SendingDomains
package import Webhooks

/// What the routes need.
package struct APIServices: Sendable {
    package var records: PostgresPool
    package var campaigns: CampaignService
    package var ledger: CreditLedger
    package var suppressions: SuppressionList
    package var domains: SendingDomains
    package var verifier: DomainVerifier
    package var keys: APIKeys
    package var limiter: RequestLimiter
    /// Of people who have signed in.
    package var userLimiter: RequestLimiter
    package var sessions: Sessions
    package var signIn: SignIn
    package var factors: SecondFactors
    package var passwordReset: PasswordReset
    /// Nil where strangers may not open accounts.
    package var signUp: SignUp?
    package var members: Members
    package var memberSessions: MemberSessions
    package var invitations: Invitations
    package var joining: Joining
    /// Whether there is somebody who sends the mail of this installation.
    package var hasMail: Bool
    package var idempotency: IdempotencyStore
    package var unsubscriber: Unsubscriber
    package var providers: ProviderIntake
    package var webhooks: WebhookEndpoints
    package var openAPI: String
    /// What operators have set for accounts.
    package var limits: AccountLimits

    package init(
        records: PostgresPool, campaigns: CampaignService, ledger: CreditLedger, suppressions: SuppressionList,
        domains: SendingDomains, verifier: DomainVerifier, keys: APIKeys, limiter: RequestLimiter,
        userLimiter: RequestLimiter, sessions: Sessions, signIn: SignIn, factors: SecondFactors,
        passwordReset: PasswordReset, signUp: SignUp?, members: Members, memberSessions: MemberSessions,
        invitations: Invitations, joining: Joining, hasMail: Bool, idempotency: IdempotencyStore,
        unsubscriber: Unsubscriber, providers: ProviderIntake, webhooks: WebhookEndpoints, openAPI: String,
        limits: AccountLimits = AccountLimits()
    ) {
        self.records = records
        self.campaigns = campaigns
        self.ledger = ledger
        self.suppressions = suppressions
        self.domains = domains
        self.verifier = verifier
        self.keys = keys
        self.limiter = limiter
        self.userLimiter = userLimiter
        self.sessions = sessions
        self.signIn = signIn
        self.factors = factors
        self.passwordReset = passwordReset
        self.signUp = signUp
        self.members = members
        self.memberSessions = memberSessions
        self.invitations = invitations
        self.joining = joining
        self.hasMail = hasMail
        self.idempotency = idempotency
        self.unsubscriber = unsubscriber
        self.providers = providers
        self.webhooks = webhooks
        self.openAPI = openAPI
        self.limits = limits
    }

    func authentication(_ exposure: APIExposure) -> AuthenticationMiddleware {
        AuthenticationMiddleware(
            keys: keys, limiter: limiter, userLimiter: userLimiter, limits: limits, sessions: sessions,
            exposure: exposure)
    }
}
