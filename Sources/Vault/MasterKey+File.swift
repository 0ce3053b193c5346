#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension MasterKey {
    /// The key from the environment if it has one, else from the file at `path`, which is made on first use.
    ///
    /// - Parameters:
    ///   - environment: the value of the environment variable, nil where it is not set. Set but empty is an error, so
    ///     that a broken deployment does not start with a new key.
    ///   - file: path of a file that only its owner may read (mode 0600), in a directory that exists. It holds the key
    ///     as ``init(text:)`` reads it, or 32 plain octets.
    /// - Throws: ``VaultError`` `.malformedMasterKey` or `.unreadableMasterKey`, with a text that says what to do.
    package static func load(environment: String?, file path: String) throws(VaultError) -> MasterKey {
        if let environment {
            return try MasterKey(text: environment)
        }
        if let key = try read(path) {
            return key
        }
        return try create(path)
    }

    /// Far above any form of a key, so that a wrong path does not read a whole disk.
    private static let fileOctets = 4_096

    /// Nil where there is no file.
    private static func read(_ path: String) throws(VaultError) -> MasterKey? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw unreadable(path, "cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { _ = close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw unreadable(path, "is not a regular file")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw unreadable(path, "may be read or written by others than its owner; run: chmod 600 '\(path)'")
        }
        let bytes = try readAll(descriptor, path)
        if bytes.count == byteCount {
            return try MasterKey(bytes: bytes)
        }
        do {
            return try MasterKey(text: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw VaultError(
                .malformedMasterKey,
                "the file '\(path)' does not hold a master key: 64 hexadecimal digits, base64 of 32 octets, or "
                    + "32 plain octets")
        }
    }

    private static func readAll(_ descriptor: CInt, _ path: String) throws(VaultError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: fileOctets)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
            }
            if got < 0 {
                if errno == EINTR { continue }
                throw unreadable(path, "cannot be read: \(String(cString: strerror(errno)))")
            }
            if got == 0 { break }
            count += got
        }
        return Array(bytes.prefix(count))
    }

    /// Writes a new key beside `path` and links it into place: the file appears whole or not at all, and of two
    /// programs that start together both use the one that came first.
    private static func create(_ path: String) throws(VaultError) -> MasterKey {
        let key = MasterKey()
        let draft = "\(path).\(getpid()).\(UInt32.random(in: .min ... .max))"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw unreadable(path, "cannot be made: \(String(cString: strerror(errno)))")
        }
        defer { unlink(draft) }
        let line = Array((key.text + "\n").utf8)
        // One write of some bytes to a new regular file is short only where the disk is full.
        let isWritten = write(descriptor, line, line.count) == line.count && fsync(descriptor) == 0
        let reason = String(cString: strerror(errno))
        guard close(descriptor) == 0, isWritten else {
            throw unreadable(path, "cannot be written: \(reason)")
        }
        if link(draft, path) != 0 {
            guard errno == EEXIST, let winner = try read(path) else {
                throw unreadable(path, "cannot be made: \(String(cString: strerror(errno)))")
            }
            return winner
        }
        syncDirectory(of: path)
        return key
    }

    /// Makes the new name survive a power cut. Where a file system refuses, the key is still in place.
    private static func syncDirectory(of path: String) {
        let directory =
            switch path.lastIndex(of: "/") {
            case nil: "."
            case path.startIndex?: "/"
            case let slash?: String(path[..<slash])
            }
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private static func unreadable(_ path: String, _ what: String) -> VaultError {
        VaultError(.unreadableMasterKey, "the master key's file '\(path)' \(what)")
    }
}
