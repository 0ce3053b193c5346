package import Campaigns
package import MailTypes

/// What operators do to accounts and campaigns, by command or over the socket. All nodes follow within seconds.
package struct Steering: Sendable {
    private let campaigns: CampaignService
    private let delivery: DeliveryStore

    package init(campaigns: CampaignService, delivery: DeliveryStore) {
        self.campaigns = campaigns
        self.delivery = delivery
    }

    /// Orders stand for at most a year, or until they are lifted.
    package static let seconds = 1.0...31_536_000
    static let reasonLetters = 200
    static let defaultReason = "by the operator"

    /// Suspends or drains.
    package func order(
        _ action: OperatorOrder.Action, _ target: OperatorOrder.Target, seconds: Double?, reason: String?
    ) async throws {
        let reason = String((reason ?? Self.defaultReason).prefix(Self.reasonLetters))
        guard try await delivery.give(action, to: target, seconds: seconds, reason: reason) else {
            throw OperatorFailure(description: Self.missing(target))
        }
    }

    package func resume(_ account: AccountID) async throws {
        guard try await delivery.lift(.account(account)) else {
            throw OperatorFailure(description: "account \(account) is neither suspended nor draining")
        }
    }

    /// Lifts the operator's order, and ends the pause if there is one.
    package func resume(_ account: AccountID, _ campaign: CampaignID) async throws -> CampaignStatus {
        let wasOrdered = try await delivery.lift(.campaign(account, campaign))
        let status = try await campaigns.get(account, campaign)
        return wasOrdered && status.state != .paused ? status : try await campaigns.resume(account, campaign)
    }

    /// Ends all that the account has sent and that has not ended.
    package func fail(_ account: AccountID) async throws -> [CampaignStatus] {
        guard try await delivery.exists(account) else {
            throw OperatorFailure(description: Self.missing(.account(account)))
        }
        return try await campaigns.failAll(of: account)
    }

    /// Sets for how many seconds after a campaign's end bounces are refunded, for campaigns that the account sends from
    /// now on; nil: as the installation has it.
    package func refund(within seconds: Int?, of account: AccountID) async throws {
        try await campaigns.setRefundTime(seconds, for: account)
    }

    private static func missing(_ target: OperatorOrder.Target) -> String {
        switch target {
        case .lanes(let name): "there is no lane \(name)"
        case .account(let account): "there is no account \(account)"
        case .campaign(let account, let campaign): "account \(account) has no campaign \(campaign) that still has mail"
        }
    }
}
