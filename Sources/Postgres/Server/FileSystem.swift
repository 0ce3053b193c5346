import Glibc

/// The few calls on files that the embedded server needs, with the system's own words for errors.
enum FileSystem {
    /// The system's message for the last error.
    static var lastError: String {
        guard let text = unsafe strerror(errno) else { return "error \(errno)" }
        return unsafe String(cString: text)
    }

    static func entries(of folder: String) -> [String] {
        guard let directory = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    static func isExecutable(_ path: String) -> Bool { unsafe access(path, X_OK) == 0 }
    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Owner, type and permissions, not following a link at the end.
    static func status(_ path: String) -> stat? {
        var status = stat()
        return unsafe lstat(path, &status) == 0 ? status : nil
    }

    static func isDirectory(_ path: String) -> Bool {
        status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
    }

    /// A path from the root, without links; the path itself if it does not exist.
    static func canonical(_ path: String) -> String {
        guard let resolved = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// The content of a small file.
    static func read(_ path: String, limit: Int = 1 << 16) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { Glibc.close(descriptor) }
        return read(descriptor, limit: limit)
    }

    static func read(_ descriptor: Int32, limit: Int) -> String {
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while content.count < limit {
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            content.append(contentsOf: buffer[..<count])
        }
        return String(decoding: content, as: UTF8.self)
    }

    /// Replaces a file's content, through a new file so that nobody sees half of it.
    static func write(_ text: String, to path: String, mode: mode_t) throws(EmbeddedPostgresError) {
        let new = path + ".new"
        let descriptor = unsafe open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw failure("cannot write \(new)") }
        defer { Glibc.close(descriptor) }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot write \(new)") }
            bytes = bytes.dropFirst(count)
        }
        guard fsync(descriptor) == 0, unsafe rename(new, path) == 0 else { throw failure("cannot write \(path)") }
    }

    /// Creates a folder and those above it.
    static func makeDirectory(_ path: String, mode: mode_t) throws(EmbeddedPostgresError) {
        if unsafe mkdir(path, mode) == 0 || (errno == EEXIST && isFolder(path)) { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw failure("cannot create the folder \(path)")
        }
        try makeDirectory(String(path[..<slash]), mode: 0o755)
        guard unsafe mkdir(path, mode) == 0 || errno == EEXIST else {
            throw failure("cannot create the folder \(path)")
        }
    }

    /// Like ``isDirectory(_:)``, but following links: an operator may put the data elsewhere.
    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func failure(_ what: String) -> EmbeddedPostgresError {
        EmbeddedPostgresError(.directory, "\(what): \(lastError)")
    }

    /// Removes a folder with all that it holds; links are removed, not followed.
    static func removeTree(_ path: String) {
        if isDirectory(path) {
            for entry in entries(of: path) { removeTree(path + "/" + entry) }
            unsafe rmdir(path)
        } else {
            unsafe unlink(path)
        }
    }
}
