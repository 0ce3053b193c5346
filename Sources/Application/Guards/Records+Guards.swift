import Postgres

extension Records {
    /// Whether both databases have every trigger, policy, constraint and grant that migrations have made, and no right beyond
    /// them.
    ///
    /// - Returns: what is otherwise, for people; empty: nothing.
    /// - Throws: `PostgresError`
    func guardProblems() async throws -> [String] {
        let records = try await pools.housekeeping.withConnection { try await SchemaGuards.read(on: $0) }
        let vault = try await pools.vault.withConnection { try await SchemaGuards.read(on: $0) }
        return Self.guards.problems(of: records) + Self.guardsOfVault.problems(of: vault).map { "vault: " + $0 }
    }

    private static let guards = list(in: PackageResources.records_tsv)
    private static let guardsOfVault = list(in: PackageResources.vault_tsv)

    private static func list(in file: [UInt8]) -> SchemaGuards {
        guard let guards = SchemaGuards(text: String(decoding: file, as: UTF8.self)) else {
            preconditionFailure("the list of guards is damaged")
        }
        return guards
    }
}
