import ACME
import Campaigns
import Foundation
import Postgres
import Vault

/// Looks whether the vault has the keys of all accounts and of campaigns under way, as a restore may have left it, and
/// whether the messages of these campaigns can be opened; whether the databases have their guards; and whether who is named
/// for the mail of this installation can send.
struct KeyExamination {
    let settings: Settings

    /// - Returns: nothing where there are no databases yet.
    func findings() async -> [Finding] {
        let hasDatabases =
            settings.text(.databaseURL) != nil
            || FileManager.default.fileExists(atPath: settings.dataDirectory + "/postgres")
        guard hasDatabases else { return [] }
        do {
            let (accounts, campaigns, certificates, mail, guards) = try await problems()
            let found = accounts.map(Self.finding) + campaigns.map(Self.finding)
            let keys =
                found.isEmpty
                ? [Finding(.good, "the vault has the keys of all accounts and of their campaigns")] : found
            return keys + Self.guardFindings(guards) + CertificateExamination.findings(certificates) + mail
        } catch {
            return [Finding(.problem, "the keys cannot be examined: \(error)")]
        }
    }

    private func problems() async throws -> (
        accounts: [VaultError], campaigns: [CampaignProblem], certificates: [ACMEStore.Status], mail: [Finding],
        guards: [String]
    ) {
        let records = try await Records.open(settings, role: .client, logger: try settings.logger("sluice"))
        do {
            let accounts = try await records.vault.accountKeyProblems()
            let campaigns = try await records.delivery.campaignProblems(limit: Self.mostCampaigns)
            let certificates = try await records.certificates.list()
            var mail: [Finding] = []
            if let sender = records.installationMail {
                mail = try await InstallationMailExamination.findings(sender, records)
            }
            let guards = try await records.guardProblems()
            await records.close()
            return (accounts, campaigns, certificates, mail, guards)
        } catch {
            await records.close()
            throw error
        }
    }

    private static let mostCampaigns = 1_000

    private static func guardFindings(_ problems: [String]) -> [Finding] {
        guard !problems.isEmpty else {
            return [Finding(.good, "triggers, policies and grants are those that migrations have made")]
        }
        return problems.map {
            Finding(
                .problem, "\($0): somebody with the owner's rights has been at the tables",
                advice: "find out who and what for, put it back, then sluice ledger verify (running.md)")
        }
    }

    private static func finding(_ problem: CampaignProblem) -> Finding {
        Finding(
            .problem, "\(problem.detail) (account \(problem.account))",
            advice: problem.isOfKey
                ? "restore campaign_keys from a backup of the vault, or cancel the campaign: it ends at its expiry"
                : "nothing mends it: the campaign ends by itself, or cancel it; what was delivered is charged")
    }

    private static func finding(_ problem: VaultError) -> Finding {
        Finding(
            .problem, problem.detail,
            advice: "restore account_keys from a backup of the vault that is younger than the account (databases.md)")
    }
}
