/// Why an operation on a campaign was refused. The detail is for people and holds no personal data.
package struct CampaignError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The account has no such campaign. Other accounts' campaigns count as absent.
        case notFound
        /// The campaign's state does not allow the operation.
        case illegalTransition
        /// The campaign has no recipients to send to.
        case noRecipients
        /// Recipients lack values for tags without a fallback, and the campaign was not told what to do with them.
        case missingVariables(LackingVariables)
        case insufficientCredits(missing: Int64, available: Int64)
        /// The sender's domain is not one of the account's sending domains.
        case domainNotRegistered
        /// Nothing proves yet, or any more, that the sender's domain is the account's.
        case domainNotProven
        /// The account may not use this pool of source addresses, or no node has it.
        case sourcePoolUnknown
        /// The campaign's data was destroyed on completion.
        case purged
        /// A setting of the request is out of its bounds.
        case invalidSetting
        /// Another upload to the same campaign is under way.
        case uploadInProgress
        /// The database lost a part of an upload before its end.
        case uploadLost
        /// The account has as many drafts as it may have.
        case tooManyDrafts
        /// The account has as many unfinished campaigns as it may have.
        case tooManyCampaigns
        /// The account has as many sending domains as it may have.
        /// A stored value cannot be read.
        case malformedRecord
        /// What a worker wants to settle is not what its journal says, or not all of it. Our bug; nothing changed.
        case settlementMismatch

        /// A stable name for programs.
        package var name: String {
            switch self {
            case .notFound: "not_found"
            case .illegalTransition: "illegal_transition"
            case .noRecipients: "no_recipients"
            case .missingVariables: "missing_variables"
            case .insufficientCredits: "insufficient_credits"
            case .domainNotRegistered: "domain_not_registered"
            case .domainNotProven: "domain_not_proven"
            case .sourcePoolUnknown: "source_pool_unknown"
            case .purged: "purged"
            case .invalidSetting: "invalid_setting"
            case .uploadInProgress: "upload_in_progress"
            case .uploadLost: "upload_lost"
            case .tooManyDrafts: "too_many_drafts"
            case .tooManyCampaigns: "too_many_campaigns"
            case .malformedRecord: "malformed_record"
            case .settlementMismatch: "settlement_mismatch"
            }
        }
    }

    package let code: Code
    package let detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { detail }

    static let notFound = CampaignError(.notFound, "there is no such campaign")

    static func missing(_ lacking: LackingVariables) -> CampaignError {
        let names = lacking.mostFrequent.prefix(5).map(\.name).joined(separator: ", ")
        return CampaignError(
            .missingVariables(lacking),
            "\(lacking.recipients) recipients lack values for tags without a fallback (\(names)); give the tags one, or "
                + "send with missing_variables skip or empty")
    }

    static func illegal(_ event: CampaignEvent, in state: CampaignState) -> CampaignError {
        CampaignError(.illegalTransition, "\(event.rawValue) is not possible: the campaign is \(state.rawValue)")
    }
}
