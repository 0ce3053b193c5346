import Foundation
import Postgres
import Vault

/// Looks whether the vault has the keys of all accounts, as a restore may have left it.
struct KeyExamination {
    let settings: Settings

    /// - Returns: nothing where there are no databases yet.
    func findings() async -> [Finding] {
        let hasDatabases =
            settings.text("databaseUrl") != nil
            || FileManager.default.fileExists(atPath: settings.dataDirectory + "/postgres")
        guard hasDatabases else { return [] }
        do {
            let problems = try await problems()
            return problems.isEmpty
                ? [Finding(.good, "the vault has the keys of all accounts")] : problems.map(Self.finding)
        } catch {
            return [Finding(.problem, "the keys of accounts cannot be examined: \(error)")]
        }
    }

    private func problems() async throws -> [VaultError] {
        let records = try await Records.open(settings, role: .client, logger: try settings.logger("sluice"))
        do {
            let problems = try await records.vault.accountKeyProblems()
            await records.close()
            return problems
        } catch {
            await records.close()
            throw error
        }
    }

    private static func finding(_ problem: VaultError) -> Finding {
        Finding(
            .problem, problem.detail,
            advice: "restore account_keys from a backup of the vault that is younger than the account (databases.md)")
    }
}
