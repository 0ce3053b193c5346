import Glibc

/// The programs of an installed PostgreSQL server.
package struct PostgresInstallation: Hashable, Sendable {
    static let minimumVersion = 15

    /// - Parameter number: `server_version_num`, such as 150008 for 15.8.
    static func isSupported(_ number: Int32) -> Bool { number / 10_000 >= minimumVersion }

    /// Folder with `postgres` and `initdb`.
    let binaries: String
    let majorVersion: Int

    package var server: String { binaries + "/postgres" }
    package var initdb: String { binaries + "/initdb" }

    /// Finds the programs: in `SLUICE_POSTGRES_BIN` if set, else in Debian's folders and in the one that `pg_config`
    /// names, the newest first.
    /// - Parameter majorVersion: the version of an existing cluster, which no other can run.
    package static func find(
        environment: [String: String], majorVersion: Int? = nil
    ) throws(EmbeddedPostgresError) -> PostgresInstallation {
        let fits = { (found: PostgresInstallation) in majorVersion == nil || found.majorVersion == majorVersion }
        let wanted = majorVersion.map { "PostgreSQL \($0)" } ?? "PostgreSQL \(minimumVersion) or later"
        if let folder = environment["SLUICE_POSTGRES_BIN"] {
            guard let found = installation(in: folder), fits(found) else {
                throw EmbeddedPostgresError(
                    .notInstalled, "SLUICE_POSTGRES_BIN names \(folder), which does not hold \(wanted)")
            }
            return found
        }
        let debian = FileSystem.entries(of: "/usr/lib/postgresql").map { "/usr/lib/postgresql/\($0)/bin" }
        let newest = debian.compactMap(installation).filter(fits).max { $0.majorVersion < $1.majorVersion }
        if let newest { return newest }
        if let folder = ChildProcess.output(of: ["pg_config", "--bindir"]), let found = installation(in: folder),
            fits(found)
        {
            return found
        }
        throw EmbeddedPostgresError(
            .notInstalled,
            """
            \(wanted) was not found: install it (on Debian: apt-get install postgresql), name its folder in \
            SLUICE_POSTGRES_BIN, or name a running server in SLUICE_DATABASE_URL
            """)
    }

    private static func installation(in folder: String) -> PostgresInstallation? {
        guard FileSystem.isExecutable(folder + "/postgres"), FileSystem.isExecutable(folder + "/initdb"),
            let answer = ChildProcess.output(of: [folder + "/postgres", "--version"]),
            // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
            let number = answer.split(separator: " ").dropFirst(2).first,
            let major = Int(number.prefix { $0.isNumber }), major >= minimumVersion
        else { return nil }
        return PostgresInstallation(binaries: folder, majorVersion: major)
    }
}
