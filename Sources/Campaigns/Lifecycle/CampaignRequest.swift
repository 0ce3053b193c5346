package import MailMessage
import MailTypes

/// What a customer asks for when creating a campaign.
package struct CampaignRequest: Sendable {
    package var content: MessageContent
    package var inDoubt: InDoubtPolicy
    /// Mails go only where every server on the way promises verified TLS (RFC 8689); others bounce with 5.7.30.
    package var requiresTLS: Bool
    /// The pool of source addresses that its mails leave from; nil for the one of the account.
    package var sourcePool: String?
    /// Within ``CampaignLimits/expirySeconds``.
    package var expirySeconds: Int
    /// Most mails in an hour, all nodes together, within ``CampaignLimits/ratePerHour``; nil without a cap.
    package var ratePerHour: Int?
    /// Seconds from the end to the purge, within ``CampaignLimits/resultsSeconds``; nil for the operator's own time.
    package var resultsFor: Int?
    /// Within ``CampaignLimits/batchSize``. A capped campaign has smaller ones, of a minute's mails.
    package var batchSize: Int

    package init(
        content: MessageContent, inDoubt: InDoubtPolicy = .resend, requiresTLS: Bool = false,
        sourcePool: String? = nil,
        expirySeconds: Int = CampaignLimits.defaultExpirySeconds, ratePerHour: Int? = nil,
        resultsFor: Int? = nil, batchSize: Int = MailLimits.batchRecipients
    ) {
        self.content = content
        self.inDoubt = inDoubt
        self.requiresTLS = requiresTLS
        self.sourcePool = sourcePool
        self.expirySeconds = expirySeconds
        self.ratePerHour = ratePerHour
        self.resultsFor = resultsFor
        self.batchSize = ratePerHour.map { min(batchSize, max(1, $0 / 60)) } ?? batchSize
    }

    func validate() throws {
        guard CampaignLimits.expirySeconds.contains(expirySeconds) else {
            throw CampaignError(
                .invalidSetting,
                "the expiry is between \(CampaignLimits.expirySeconds.lowerBound) and "
                    + "\(CampaignLimits.expirySeconds.upperBound) seconds")
        }
        guard ratePerHour.map({ CampaignLimits.ratePerHour.contains($0) }) ?? true else {
            throw CampaignError(
                .invalidSetting,
                "the rate is between \(CampaignLimits.ratePerHour.lowerBound) and "
                    + "\(CampaignLimits.ratePerHour.upperBound) mails an hour")
        }
        guard resultsFor.map({ CampaignLimits.resultsSeconds.contains($0) }) ?? true else {
            throw CampaignError(
                .invalidSetting,
                "outcomes are kept for at most \(CampaignLimits.resultsSeconds.upperBound) seconds")
        }
        guard CampaignLimits.batchSize.contains(batchSize) else {
            throw CampaignError(
                .invalidSetting, "a batch has 1 to \(CampaignLimits.batchSize.upperBound) recipients")
        }
        _ = try CompiledMessage(content)
    }
}
