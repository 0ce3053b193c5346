import CPostgres
import Glibc

/// Starting other programs. Blocks; call it off Swift's cooperative threads, unless the program is brief.
package enum ChildProcess {
    /// What a child gets for its standard streams; nil is the null device.
    package struct Streams {
        var input: Int32?
        var output: Int32?
        var error: Int32?

        package init(input: Int32? = nil, output: Int32? = nil, error: Int32? = nil) {
            self.input = input
            self.output = output
            self.error = error
        }
    }

    /// Starts a program in a session of its own, so that the terminal's Ctrl-C does not reach it. No descriptor of
    /// this process is open in it, but for the given ones.
    /// - Returns: its process ID, or nil if it cannot be started.
    package static func start(
        _ arguments: [String], streams: Streams = Streams(), environment: [String]? = nil
    ) -> Int32? {
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // A signal that a shell or test runner ignores would be ignored by the server too.
        var defaults = sigset_t()
        unsafe sigfillset(&defaults)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        var unblocked = sigset_t()
        unsafe sigemptyset(&unblocked)
        unsafe posix_spawnattr_setsigmask(&attributes, &unblocked)
        let flags = Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK) | newSession
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (target, given, mode) in [
            (STDIN_FILENO, streams.input, O_RDONLY), (STDOUT_FILENO, streams.output, O_WRONLY),
            (STDERR_FILENO, streams.error, O_WRONLY),
        ] {
            if let given {
                unsafe posix_spawn_file_actions_adddup2(&actions, given, target)
            } else {
                unsafe posix_spawn_file_actions_addopen(&actions, target, "/dev/null", mode, 0)
            }
        }
        // A server that outlives this process must not keep its listening sockets, nor the pipes by which its parent
        // notices its end; not all of them are marked to be closed in children.
        guard unsafe posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1) == 0 else { return nil }

        var process: pid_t = 0
        let status = unsafe withArgumentVector(arguments) { arguments in
            unsafe withArgumentVector(environment ?? minimalEnvironment) { environment in
                guard let program = unsafe arguments[0] else { return EINVAL }
                return unsafe posix_spawnp(&process, program, &actions, &attributes, arguments, environment)
            }
        }
        return status == 0 ? process : nil
    }

    /// `POSIX_SPAWN_SETSID` of glibc 2.26, which Swift does not import.
    private static let newSession: Int32 = 0x80

    /// What the server needs of the environment. Nothing else is handed on: it may hold secrets.
    private static let minimalEnvironment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]

    /// Runs a program to its end.
    /// - Returns: its exit status, 128 + signal if one ended it, or 127 if it could not be started.
    static func run(_ arguments: [String], streams: Streams = Streams()) -> Int32 {
        guard let process = start(arguments, streams: streams) else { return 127 }
        return wait(for: process)
    }

    static func wait(for process: pid_t) -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { return 127 }
        }
        return exitStatus(status)
    }

    /// - Returns: the exit status of a child that has ended, which is then forgotten; nil while it runs.
    package static func poll(_ process: Int32) -> Int32? {
        var status: Int32 = 0
        let answer = unsafe waitpid(process, &status, WNOHANG)
        if answer == 0 { return nil }
        return answer == process ? exitStatus(status) : 127
    }

    private static func exitStatus(_ status: Int32) -> Int32 {
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    /// First line of what a program prints, or nil if it fails.
    static func output(of arguments: [String]) -> String? {
        guard let pair = SocketPair() else { return nil }
        defer { Glibc.close(pair.reader) }
        guard let process = start(arguments, streams: Streams(output: pair.writer)) else {
            Glibc.close(pair.writer)
            return nil
        }
        Glibc.close(pair.writer)
        let text = FileSystem.read(pair.reader, limit: 1 << 16)
        guard wait(for: process) == 0 else { return nil }
        return text.split(separator: "\n").first.map(String.init)
    }
}

/// Lends a NULL-terminated array of C strings that the callee might write to.
private func withArgumentVector<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers = unsafe strings.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("an empty array of strings") }
        return unsafe body(base)
    }
}
