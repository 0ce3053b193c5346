import Glibc
package import Logging
import Synchronization

/// A private PostgreSQL server in a data directory, shared by the processes that use the directory.
///
/// The cluster lies in `<data>/postgres`, its log in `<data>/postgres.log`, its socket in `<data>/run` (or, where that
/// path is too long for a socket, in a private folder with a name derived from it).
///
/// Who starts and stops it: three locks (`flock`, which the system releases when a process dies) settle that without
/// races.
/// - `lock` is held by the one process with the role `.server`; it holds that process's ID.
/// - `lock.users` is held, shared, by every process that uses the cluster.
/// - `lock.control` is held while a process looks whether the cluster runs, and starts, adopts or stops it.
///
/// Whoever comes and finds no server running starts it; whoever finds one adopts it, be it started by a command, by
/// another server process, or left by one that was killed. Whoever leaves last stops it: that is, who gets
/// `lock.users` for itself alone.
package final class EmbeddedPostgres: Sendable {
    package enum Role: Sendable {
        /// The one long-running process of the directory. It restarts the server should it die.
        case server
        /// A command that uses the database for a moment.
        case client
    }

    private struct State {
        var postmaster: Postmaster
        var isStopped = false
        var supervisor: Task<Void, Never>?
    }

    package let endpoint: ServerEndpoint
    /// Whether a server was found running, rather than started.
    package let wasAdopted: Bool
    private let cluster: EmbeddedCluster
    private let locks: Locks
    private let state: Mutex<State>
    private let logger: Logger

    /// Locks of this process, kept as long as the object lives.
    private struct Locks: Sendable {
        let server: FileLock?
        let users: FileLock
        let control: FileLock
    }

    private init(
        cluster: EmbeddedCluster, endpoint: ServerEndpoint, postmaster: Postmaster, wasAdopted: Bool, locks: Locks,
        logger: Logger
    ) {
        self.cluster = cluster
        self.endpoint = endpoint
        self.wasAdopted = wasAdopted
        self.locks = locks
        self.logger = logger
        state = Mutex(State(postmaster: postmaster))
    }

    /// Without ``stop()`` the server goes on, for the next to adopt.
    deinit {
        state.withLock { $0.supervisor }?.cancel()
        if locks.server != nil { CrashGuard.release() }
    }

    /// Whether the directory has a cluster. Looks only.
    package static func exists(in dataDirectory: String) -> Bool {
        FileSystem.exists(dataDirectory + "/postgres/PG_VERSION")
    }

    /// Creates the cluster if there is none, and starts or adopts its server.
    /// - Parameter environment: `SLUICE_POSTGRES_BIN` names the folder of PostgreSQL's programs,
    ///   `SLUICE_POSTGRES_USER` the user to run as when started as root.
    /// - Throws: ``EmbeddedPostgresError``; `.alreadyRunning` for a second server on the same directory.
    package static func open(
        dataDirectory: String, role: Role, environment: [String: String]? = nil, logger: Logger
    ) async throws -> EmbeddedPostgres {
        let environment = environment ?? ProcessEnvironment.current
        let embedded = try await offCooperativeThreads {
            Result { () throws(EmbeddedPostgresError) in
                try openBlocking(dataDirectory, role, environment, logger)
            }
        }.get()
        if role == .server {
            CrashGuard.protect(embedded.state.withLock { $0.postmaster }, users: embedded.locks.users)
            embedded.supervise()
        }
        return embedded
    }

    /// Leaves the cluster, and stops its server unless another process uses it. Can be called again.
    package func stop() async {
        let supervisor = state.withLock { state -> Task<Void, Never>?? in
            if state.isStopped { return .none }
            state.isStopped = true
            return .some(state.supervisor)
        }
        guard let supervisor else { return }
        supervisor?.cancel()
        // A restart under way holds the lock through the same descriptor, which would not keep this out.
        await supervisor?.value
        await offCooperativeThreads { [self] in stopBlocking() }
    }

    private static func openBlocking(
        _ dataDirectory: String, _ role: Role, _ environment: [String: String], _ logger: Logger
    ) throws(EmbeddedPostgresError) -> EmbeddedPostgres {
        let account = try ServerAccount.current(environment: environment).owning(dataDirectory + "/postgres")
        let directory = try DataDirectory(creating: dataDirectory, for: account)
        let locks = Locks(
            server: role == .server ? try takeServerLock(directory) : nil,
            users: try FileLock(directory.usersLock),
            control: try FileLock(directory.controlLock))
        guard locks.control.exclusive(within: 120) else {
            throw EmbeddedPostgresError(.start, "another process keeps starting or stopping \(directory.path)")
        }
        defer { locks.control.unlock() }
        // Only a process that stops the server takes this lock alone, and it holds the lock above while it does.
        guard locks.users.tryShared() else {
            throw EmbeddedPostgresError(.directory, "cannot lock \(directory.usersLock)")
        }
        let cluster = EmbeddedCluster(directory: directory, account: account, environment: environment)
        if let running = try cluster.adopt() {
            logger.info("adopted the running PostgreSQL server", metadata: ["pid": "\(running.processID)"])
            return EmbeddedPostgres(
                cluster: cluster, endpoint: ServerEndpoint(socketDirectory: running.socketDirectory),
                postmaster: running, wasAdopted: true, locks: locks, logger: logger)
        }
        let postmaster = try cluster.start()
        logger.info("started PostgreSQL", metadata: ["pid": "\(postmaster.processID)"])
        return EmbeddedPostgres(
            cluster: cluster, endpoint: ServerEndpoint(socketDirectory: postmaster.socketDirectory),
            postmaster: postmaster, wasAdopted: false, locks: locks, logger: logger)
    }

    private static func takeServerLock(_ directory: DataDirectory) throws(EmbeddedPostgresError) -> FileLock {
        let lock = try FileLock(directory.serverLock)
        guard lock.tryExclusive() else {
            let holder = lock.holder ?? 0
            throw EmbeddedPostgresError(
                .alreadyRunning(processID: holder),
                """
                another server (process \(holder)) is running on the data directory \(directory.path): stop it, or \
                choose another directory
                """)
        }
        lock.sign()
        return lock
    }

    private func stopBlocking() {
        let isControlled = locks.control.exclusive(within: 120)
        defer {
            if locks.server != nil { CrashGuard.release() }
            // The lock that the next one takes first is given back last.
            locks.users.unlock()
            locks.server?.clear()
            locks.server?.unlock()
            locks.control.unlock()
        }
        guard isControlled, locks.users.tryExclusive() else {
            logger.debug("left PostgreSQL running for another process")
            return
        }
        // It may have been restarted by a process that has left since.
        guard let running = cluster.running else { return }
        running.stop()
        logger.info("stopped PostgreSQL", metadata: ["pid": "\(running.processID)"])
    }

    // MARK: Supervision

    /// Looks once a second whether the server lives, and starts it again if it does not.
    private func supervise() {
        let task = Task { [weak self] in
            while (try? await Task.sleep(for: .seconds(1))) != nil {
                guard let self else { return }
                await self.restartIfDead()
            }
        }
        state.withLock { $0.supervisor = task }
    }

    private func restartIfDead() async {
        let current = state.withLock { $0.isStopped ? nil : $0.postmaster }
        guard let current, !current.isAlive else { return }
        logger.warning("PostgreSQL has ended unexpectedly; starting it again")
        let result = await offCooperativeThreads { [self] in
            Result { () throws(EmbeddedPostgresError) in try restartBlocking() }
        }
        switch result {
        case .success(let postmaster):
            guard let postmaster else { return }
            state.withLock { $0.postmaster = postmaster }
            CrashGuard.protect(postmaster, users: locks.users)
            logger.info("started PostgreSQL", metadata: ["pid": "\(postmaster.processID)"])
        case .failure(let error):
            logger.error("PostgreSQL did not start again", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: nil if the server is being stopped.
    private func restartBlocking() throws(EmbeddedPostgresError) -> Postmaster? {
        guard locks.control.exclusive(within: 5) else { return nil }
        defer { locks.control.unlock() }
        if state.withLock({ $0.isStopped }) { return nil }
        if let adopted = try cluster.adopt() { return adopted }
        return try cluster.start()
    }
}
