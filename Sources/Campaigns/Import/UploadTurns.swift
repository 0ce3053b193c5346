import MailTypes
import Postgres

/// Which campaigns take an upload at this moment: one each, whichever node it comes to.
///
/// The turns are locks of one session, which the server ends with the process. Should the session be lost, uploads that are
/// under way may lose their place to others, and then write nothing more (``UploadStage``).
actor UploadTurns {
    private let configuration: PostgresConfiguration
    private var taken: Set<String> = []
    private var session: Task<PostgresConnection, any Error>?

    init(_ configuration: PostgresConfiguration) {
        self.configuration = configuration
    }

    /// - Returns: false where another upload to the campaign is under way.
    func take(_ account: AccountID, _ campaign: CampaignID) async throws -> Bool {
        let name = Self.name(account, campaign)
        guard taken.insert(name).inserted else { return false }
        do {
            let connection = try await openSession()
            // In a task of its own: this one may be cancelled, and others have their turns in the same session.
            let isFree = try await Task {
                try await connection.query("SELECT pg_try_advisory_lock(hashtextextended(\(name), 0))").only
                    .decode(column: 0, as: Bool.self)
            }.value
            if !isFree { taken.remove(name) }
            return isFree
        } catch {
            // The session is lost, or as good as lost.
            taken.remove(name)
            await closeSession()
            throw error
        }
    }

    /// Gives the turn to others, also from a task that was cancelled.
    func giveBack(_ account: AccountID, _ campaign: CampaignID) async {
        let name = Self.name(account, campaign)
        let connection = try? await session?.value
        await Task {
            _ = try? await connection?.query("SELECT pg_advisory_unlock(hashtextextended(\(name), 0))")
        }.value
        taken.remove(name)
        if taken.isEmpty { await closeSession() }
    }

    private func openSession() async throws -> PostgresConnection {
        if let session, let connection = try? await session.value, connection.isOpen { return connection }
        let opening = Task { [configuration] in try await PostgresConnection.connect(configuration) }
        session = opening
        return try await opening.value
    }

    private func closeSession() async {
        guard let last = session else { return }
        session = nil
        await (try? await last.value)?.close()
    }

    /// As uploads have named it since they had a transaction of their own: older nodes keep to it as well.
    private static func name(_ account: AccountID, _ campaign: CampaignID) -> String {
        "sluice upload \(account)/\(campaign)"
    }
}
