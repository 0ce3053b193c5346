import Glibc

/// A running server process, found through the file `postmaster.pid` that it keeps in its data folder.
struct Postmaster: Hashable, Sendable {
    let processID: pid_t
    let socketDirectory: String

    init(processID: pid_t, socketDirectory: String) {
        self.processID = processID
        self.socketDirectory = socketDirectory
    }

    /// Reads the text of `postmaster.pid`: process ID, data folder, start time, port, socket folder, and more.
    init?(file text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 5, let process = pid_t(lines[0]), process > 1, !lines[4].isEmpty else { return nil }
        processID = process
        socketDirectory = String(lines[4])
    }

    /// The server that runs on a data folder. A file that a killed server left behind does not count, nor does another
    /// process that has got its number since.
    static func running(on dataFolder: String) -> Postmaster? {
        guard let text = FileSystem.read(dataFolder + "/postmaster.pid"), let found = Postmaster(file: text),
            found.isAlive, FileSystem.read("/proc/\(found.processID)/comm") == "postgres\n"
        else { return nil }
        // Its working directory is its data folder.
        let folder = FileSystem.canonical("/proc/\(found.processID)/cwd")
        return folder == FileSystem.canonical(dataFolder) || folder.hasPrefix("/proc/") ? found : nil
    }

    /// Whether the process runs; one that has ended and that nobody has asked after does not.
    var isAlive: Bool {
        _ = ChildProcess.poll(processID)
        guard let text = FileSystem.read("/proc/\(processID)/stat"), let name = text.lastIndex(of: ")") else {
            return false
        }
        let state = text[text.index(after: name)...].first { $0 != " " }
        return state != "Z" && state != "X"
    }

    /// Shuts the server down: first fast (SIGINT: transactions are rolled back), after a minute at once (SIGQUIT:
    /// the next start recovers). Blocks until the process is gone.
    func stop() {
        for (signal, seconds) in [(SIGINT, 60), (SIGQUIT, 10)] {
            guard isAlive, kill(processID, signal) == 0 else { return }
            for _ in 0..<seconds * 50 {
                if !isAlive { return }
                usleep(20_000)
            }
        }
    }
}
