import Glibc

/// The places inside the data directory, and what must hold before a server can use them. Blocks.
struct DataDirectory: Hashable, Sendable {
    /// Absolute and without links.
    let path: String

    var cluster: String { path + "/postgres" }
    var log: String { path + "/postgres.log" }
    /// Held by the one server process.
    var serverLock: String { path + "/lock" }
    /// Shared by all processes that use the cluster.
    var usersLock: String { path + "/lock.users" }
    /// Held while the cluster is being created, started or stopped.
    var controlLock: String { path + "/lock.control" }

    /// Creates the folder if it is missing, and makes sure that the server's user can reach it.
    init(creating given: String, for account: ServerAccount) throws(EmbeddedPostgresError) {
        try FileSystem.makeDirectory(given, mode: account.mustSwitch ? 0o711 : 0o700)
        path = FileSystem.canonical(given)
        guard path.hasPrefix("/") else { throw FileSystem.failure("cannot resolve the path \(given)") }
        // Being root, we may own a folder that is closed to the server's user: let it through, without a look inside.
        if account.mustSwitch, let status = FileSystem.status(path), status.st_uid == 0, status.st_mode & 0o001 == 0 {
            _ = unsafe chmod(path, status.st_mode & 0o7777 | 0o011)
        }
        guard unsafe access(path, R_OK | W_OK | X_OK) == 0 else {
            throw FileSystem.failure("cannot use the data directory \(path)")
        }
        try account.checkReach(path)
    }

    /// Major version of the cluster, or nil if there is none yet.
    func clusterVersion() throws(EmbeddedPostgresError) -> Int? {
        if let text = FileSystem.read(cluster + "/PG_VERSION"), let version = Int(text.prefix { $0.isNumber }) {
            return version
        }
        guard !FileSystem.exists(cluster) || FileSystem.entries(of: cluster).isEmpty else {
            throw EmbeddedPostgresError(.directory, "\(cluster) is there, and is not a PostgreSQL cluster")
        }
        return nil
    }

    /// Creates the cluster in a folder beside, so that a creation that was interrupted leaves nothing half-done.
    func createCluster(_ installation: PostgresInstallation, _ account: ServerAccount) throws(EmbeddedPostgresError) {
        let new = cluster + ".new"
        FileSystem.removeTree(new)
        try account.makePrivateDirectory(new)
        let log = try openLog()
        defer { Glibc.close(log) }
        let status = ChildProcess.run(
            account.command([
                installation.initdb, "-D", new, "-U", ServerEndpoint.superuser, "-E", "UTF8", "--locale=C.UTF-8",
                "--auth-local=trust", "--auth-host=reject", "--data-checksums", "--no-instructions",
            ]),
            streams: .init(output: log, error: log))
        guard status == 0 else {
            FileSystem.removeTree(new)
            throw EmbeddedPostgresError(.creation, "initdb failed with status \(status); see \(self.log)")
        }
        _ = unsafe rmdir(cluster)
        guard unsafe rename(new, cluster) == 0 else { throw FileSystem.failure("cannot create \(cluster)") }
    }

    /// The server's log, for appending; one that has grown large is set aside first.
    func openLog() throws(EmbeddedPostgresError) -> Int32 {
        if let status = FileSystem.status(log), status.st_size > 16 << 20 { _ = unsafe rename(log, log + ".old") }
        let descriptor = unsafe open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot open \(log)") }
        return descriptor
    }

    /// A folder for the socket. The system allows 107 octets for a socket's path; where the data directory's is longer,
    /// a folder with a name derived from it serves, in a place of short paths.
    func socketDirectory(
        _ account: ServerAccount, environment: [String: String]
    ) throws(EmbeddedPostgresError) -> String {
        let directory = Self.socketDirectory(
            for: path, userID: account.userID, isRoot: account.mustSwitch,
            runtimeDirectory: environment["XDG_RUNTIME_DIR"])
        try account.makePrivateDirectory(directory)
        return directory
    }

    static func socketDirectory(
        for path: String, userID: uid_t, isRoot: Bool, runtimeDirectory: String?
    ) -> String {
        func fits(_ directory: String) -> Bool {
            "\(directory)/.s.PGSQL.\(ServerEndpoint.port)".utf8.count <= 107 && !directory.contains(",")
        }
        let inside = path + "/run"
        if fits(inside) { return inside }
        let name = "sluice-\(userID)-" + String(stableHash(path), radix: 16)
        let bases = (isRoot ? ["/run"] : [runtimeDirectory].compactMap(\.self)) + [P_tmpdir]
        let directories = bases.filter(FileSystem.isDirectory).map { "\($0)/\(name)" }
        return directories.first(where: fits) ?? "\(P_tmpdir)/\(name)"
    }

    /// FNV-1a: the same in every run, unlike Swift's hashes.
    private static func stableHash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}
