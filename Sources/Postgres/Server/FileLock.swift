import Glibc

/// An advisory lock on a file (`flock`). The system releases it when the process ends, however it ends, and children do
/// not inherit it.
final class FileLock: Sendable {
    let descriptor: Int32

    init(_ path: String) throws(EmbeddedPostgresError) {
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw FileSystem.failure("cannot open the lock \(path)") }
    }

    deinit { close(descriptor) }

    func tryExclusive() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }
    func tryShared() -> Bool { flock(descriptor, LOCK_SH | LOCK_NB) == 0 }
    func unlock() { flock(descriptor, LOCK_UN) }

    /// Waits for the exclusive lock; blocks.
    /// - Returns: false if the time is over.
    func exclusive(within seconds: Int) -> Bool {
        for _ in 0..<seconds * 50 {
            if tryExclusive() { return true }
            usleep(20_000)
        }
        return tryExclusive()
    }

    /// What the file says, for messages: the process that holds the lock.
    var holder: Int32? {
        lseek(descriptor, 0, SEEK_SET)
        return Int32(FileSystem.read(descriptor, limit: 64).prefix { $0.isNumber })
    }

    /// Writes this process's ID into the file.
    func sign() {
        clear()
        let text = Array("\(getpid())\n".utf8)
        _ = unsafe text.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    func clear() { ftruncate(descriptor, 0) }
}
