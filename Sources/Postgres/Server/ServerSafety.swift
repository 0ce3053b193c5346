/// What a server lacks for an answer to mean that its effect is on the disk (P1). What can be set in a session is set
/// there (``SessionLimits``); this is what only the server's administrator can change.
package struct ServerProblem: Hashable, Sendable, CustomStringConvertible {
    /// The setting of PostgreSQL that is wrong.
    package let setting: String
    /// What it is, what follows from that, and what it should be.
    package let description: String
}

package enum ServerSafety {
    /// - Parameter connections: that this process opens at most on the server.
    /// - Returns: nothing where the server is as it should be.
    package static func problems(
        on connection: PostgresConnection, connections: Int
    ) async throws -> [ServerProblem] {
        let (version, fsync, fullPages, most, reserved) = try await connection.query(
            """
            SELECT current_setting('server_version_num')::int, current_setting('fsync')::bool,
                current_setting('full_page_writes')::bool, current_setting('max_connections')::int,
                current_setting('superuser_reserved_connections')::int
                    + coalesce(current_setting('reserved_connections', true)::int, 0)
            """
        ).only.decode(Int32.self, Bool.self, Bool.self, Int32.self, Int32.self)
        return [
            PostgresInstallation.isSupported(version)
                ? nil
                : ServerProblem(
                    setting: "server_version",
                    description: "server_version: PostgreSQL \(PostgresInstallation.minimumVersion) or later is needed"),
            fsync
                ? nil
                : ServerProblem(
                    setting: "fsync",
                    description: "fsync = off: what was answered for is lost when the machine fails, and mails go"
                        + " out twice without being counted; set it to on"),
            fullPages
                ? nil
                : ServerProblem(
                    setting: "full_page_writes",
                    description: "full_page_writes = off: a failure of the machine can spoil pages for good; set it to"
                        + " on"),
            connections <= most - reserved
                ? nil
                : ServerProblem(
                    setting: "max_connections",
                    description: "max_connections = \(most), of which \(reserved) are reserved: this process opens up"
                        + " to \(connections), and others need theirs; set it higher"),
        ].compactMap(\.self)
    }
}

extension Databases {
    /// What is wrong with the servers, each named once.
    ///
    /// - Parameters:
    ///   - records, vault: connections that this process opens at most to each database.
    package func problems(records needed: Int, vault more: Int) async throws -> [ServerProblem] {
        let first = try await PostgresConnection.connect(records.owner)
        do {
            let second = try await PostgresConnection.connect(vault.owner)
            do {
                let isOne = try await Self.startTime(first) == Self.startTime(second)
                var problems = try await ServerSafety.problems(on: first, connections: needed + (isOne ? more : 0))
                if !isOne { problems += try await ServerSafety.problems(on: second, connections: more) }
                await second.close()
                await first.close()
                return problems
            } catch {
                await second.close()
                throw error
            }
        } catch {
            await first.close()
            throw error
        }
    }

    /// Tells servers apart.
    private static func startTime(_ connection: PostgresConnection) async throws -> PostgresTimestamp {
        try await connection.query("SELECT pg_postmaster_start_time()").only.decode(
            column: 0, as: PostgresTimestamp.self)
    }
}
