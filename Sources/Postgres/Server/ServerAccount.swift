import Glibc

/// The system user that a server runs as: PostgreSQL refuses to run as root.
package struct ServerAccount: Hashable, Sendable {
    let userID: uid_t
    let groupID: gid_t
    let name: String
    /// Whether this process must become that user first.
    let mustSwitch: Bool

    /// The user of this process; for root the user `postgres`, or the one in `SLUICE_POSTGRES_USER`.
    package static func current(environment: [String: String]) throws(EmbeddedPostgresError) -> ServerAccount {
        guard geteuid() == 0 else {
            return ServerAccount(userID: geteuid(), groupID: getegid(), name: "", mustSwitch: false)
        }
        let name = environment["SLUICE_POSTGRES_USER"] ?? "postgres"
        var entry = unsafe passwd()
        var buffer = [CChar](repeating: 0, count: 1 << 14)
        var found: UnsafeMutablePointer<passwd>?
        let status = unsafe getpwnam_r(name, &entry, &buffer, buffer.count, &found)
        guard status == 0, unsafe found != nil, unsafe entry.pw_uid != 0 else {
            throw EmbeddedPostgresError(
                .noUser,
                """
                PostgreSQL does not run as root, and there is no unprivileged user \"\(name)\": name one in \
                SLUICE_POSTGRES_USER, or start as an ordinary user
                """)
        }
        return unsafe ServerAccount(userID: entry.pw_uid, groupID: entry.pw_gid, name: name, mustSwitch: true)
    }

    /// The owner of an existing cluster, whom its server must run as.
    func owning(_ cluster: String) -> ServerAccount {
        guard mustSwitch, let status = FileSystem.status(cluster), status.st_uid != 0, status.st_uid != userID else {
            return self
        }
        return ServerAccount(
            userID: status.st_uid, groupID: status.st_gid, name: "with number \(status.st_uid)", mustSwitch: true)
    }

    /// A command line that runs another as this user.
    package func command(_ arguments: [String]) -> [String] {
        // The root is always there; the folder that we happen to be in may not be open to the other user.
        let command = ["sh", "-c", #"cd / && exec "$@""#, "sh"] + arguments
        guard mustSwitch else { return command }
        return ["setpriv", "--reuid", "\(userID)", "--regid", "\(groupID)", "--clear-groups", "--"] + command
    }

    /// Makes the user the owner of a file or folder, if this process may.
    package func own(_ path: String) throws(EmbeddedPostgresError) {
        guard mustSwitch else { return }
        guard unsafe lchown(path, userID, groupID) == 0 else {
            throw FileSystem.failure("cannot give \(path) to the user \(name)")
        }
    }

    /// Creates a folder that only this user can enter, or checks that an existing one is such.
    ///
    /// The check matters in shared places, where somebody else could have been first.
    func makePrivateDirectory(_ path: String) throws(EmbeddedPostgresError) {
        try FileSystem.makeDirectory(path, mode: 0o700)
        guard let status = FileSystem.status(path), status.st_mode & S_IFMT == S_IFDIR,
            status.st_uid == userID || status.st_uid == geteuid()
        else {
            throw EmbeddedPostgresError(.directory, "\(path) is not a folder of the user that runs the server")
        }
        try own(path)
        guard unsafe chmod(path, 0o700) == 0 else { throw FileSystem.failure("cannot close \(path) to others") }
    }

    /// Checks that the server's user can come to a folder.
    func checkReach(_ path: String) throws(EmbeddedPostgresError) {
        guard mustSwitch else { return }
        guard ChildProcess.run(command(["test", "-x", path])) == 0 else {
            throw EmbeddedPostgresError(
                .directory,
                """
                the user \(name), as whom PostgreSQL runs, cannot reach \(path), because a folder above it is closed \
                to others: choose another data directory, such as /var/lib/sluice, or run as an ordinary user
                """)
        }
    }
}
