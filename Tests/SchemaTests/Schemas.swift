import Campaigns
import CreditLedger
import Feedback
import Identity
import Postgres
import SendingDomains
import Vault

/// The migrations of all rooms, as the program applies them.
enum Schemas {
    static let records =
        CreditLedger.migrations + IdentitySchema.migrations + FeedbackSchema.migrations + CampaignSchema.migrations
        + Vault.recordsMigrations + SendingDomainsSchema.migrations
    static let vault = Vault.migrations
}
