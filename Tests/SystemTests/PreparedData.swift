import Foundation
import Synchronization

/// A data directory whose private database has its schema, for installations to begin with: making one takes longer than
/// most tests.
enum PreparedData {
    private static let path = Mutex<String?>(nil)

    /// Copies it; a directory that is there may be a file system of its own.
    static func copy(to directory: String) throws {
        let template = try path.withLock { path in
            if let path { return path }
            let made = try make()
            path = made
            atexit { PreparedData.remove() }
            return made
        }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Programs.run("/bin/cp", ["--archive", template + "/.", directory])
    }

    /// A command starts the database by itself, brings it to its schema, and stops it.
    private static func make() throws -> String {
        let path = NSTemporaryDirectory() + "/sluice-data-\(getpid())"
        try Programs.run(Programs.sluice, ["account", "list", "--data", path])
        return path
    }

    private static func remove() {
        path.withLock { path in
            if let path { try? FileManager.default.removeItem(atPath: path) }
            path = nil
        }
    }
}
