import Fleet
import MailTypes
import Postgres

/// Why a campaign, or some of its recipients, will not be sent before it expires.
package struct ReachWarning: Sendable, Hashable {
    package enum Code: String, Sendable, Hashable {
        /// The operator has set a rate for the account.
        case accountRate = "account_rate"
        /// Every source of the account warms up.
        case warmUp = "warm_up"
        /// The sender's domain is not proven: the campaign cannot be sent.
        case domainNotProven = "domain_not_proven"
    }

    package let code: Code
    /// For people.
    package let detail: String
    /// Recipients left, as far as that is known before their servers are: those of ``Code/warmUp`` at most, if all of them
    /// are at one provider.
    package let recipients: Int
}

/// What can be told of a campaign's reach before its recipients' servers are known: an upper bound, since other campaigns of
/// the account share its rate and its sources.
struct CampaignReach: Sendable, Hashable {
    /// A source of the account's pool, as its node told.
    struct Source: Sendable, Hashable {
        /// Days since 1970; nil where nothing limits it.
        let warmUpFrom: Int?
        let allowances: [Int]

        /// Mails to one provider on that day; nil without a limit.
        func allowance(onDay day: Int) -> Int? {
            guard let first = warmUpFrom else { return nil }
            guard day >= first else { return 0 }
            return day - first < allowances.count ? allowances[day - first] : nil
        }
    }

    /// Mails a second; nil without a cap.
    let accountRate: Double?
    /// Empty where none is known, which limits nothing.
    let sources: [Source]

    /// - Parameters:
    ///   - recipients: to be mailed.
    ///   - start: of the campaign, in seconds since 1970.
    ///   - seconds: from then to its expiry.
    func warnings(recipients: Int, start: Int64, seconds: Int) -> [ReachWarning] {
        var warnings: [ReachWarning] = []
        if let rate = accountRate, rate * Double(seconds) < Double(recipients) {
            let most = Int(rate * Double(seconds))
            warnings.append(
                ReachWarning(
                    code: .accountRate,
                    detail:
                        "at the rate of the account, \(Int((rate * 3_600).rounded())) messages an hour, the campaign "
                        + "reaches \(most) recipients before it expires; the others end as expired",
                    recipients: recipients - most))
        }
        if let most = mostToOneProvider(start: start, seconds: seconds), most < recipients {
            warnings.append(
                ReachWarning(
                    code: .warmUp,
                    detail:
                        "all sources of the account warm up: \(most) messages at most reach any one provider before the "
                        + "campaign expires; its other recipients there end as expired", recipients: recipients - most))
        }
        return warnings
    }

    /// Nil without a limit.
    private func mostToOneProvider(start: Int64, seconds: Int) -> Int? {
        guard !sources.isEmpty else { return nil }
        let days = Int(start / 86_400)...Int((start + Int64(seconds)) / 86_400)
        var sum = 0
        for day in days {
            for source in sources {
                guard let allowance = source.allowance(onDay: day) else { return nil }
                sum += allowance
            }
        }
        return sum
    }

    /// As operators and nodes have told by now.
    ///
    /// - Parameter pool: that the campaign asks for; nil for its account's.
    static func read(
        _ account: AccountID, pool: String?, on connection: PostgresConnection
    ) async throws -> CampaignReach {
        guard !account.isTest else { return CampaignReach(accountRate: nil, sources: []) }
        let shaping = try await FleetStore.shaping(of: account, on: connection)
        let sources = try await FleetStore.sources(
            ofPool: pool ?? shaping?.pool ?? AccountShaping.defaultPool, on: connection)
        return CampaignReach(
            accountRate: shaping?.rate,
            sources: sources.map { Source(warmUpFrom: $0.warmUpFrom, allowances: $0.allowances) })
    }
}
