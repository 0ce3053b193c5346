import Foundation

/// A file that a command reads in pieces; `-` is standard input.
struct InputFile: Sendable {
    private let handle: FileHandle
    private let name: String

    /// - Throws: `CommandFailure` in words.
    init(_ path: String) throws {
        name = path == "-" ? "standard input" : path
        guard path != "-" else {
            handle = .standardInput
            return
        }
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw CommandFailure("there is no file \(path)")
        }
        guard !isDirectory.boolValue else { throw CommandFailure("\(path) is a folder") }
        guard let handle = FileHandle(forReadingAtPath: path) else { throw CommandFailure("\(path) cannot be read") }
        self.handle = handle
    }

    /// The next piece; nil at the end.
    func read(upTo octets: Int = 256 * 1_024) throws -> Data? {
        do {
            guard let data = try handle.read(upToCount: octets), !data.isEmpty else { return nil }
            return data
        } catch {
            throw CommandFailure("\(name) cannot be read")
        }
    }

    /// All of it.
    ///
    /// - Throws: `CommandFailure` where it is longer.
    func readAll(atMost limit: Int) throws -> [UInt8] {
        var octets: [UInt8] = []
        while let piece = try read(upTo: 1_024 * 1_024) {
            octets += piece
            guard octets.count <= limit else {
                throw CommandFailure("\(name) is longer than \(limit) bytes: divide it")
            }
        }
        return octets
    }
}
