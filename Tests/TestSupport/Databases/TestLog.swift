import Foundation
import TestSupport

/// Where the server of this process writes. The file stays when the process ends, so that a failed test's can be read;
/// files of a day ago go.
struct TestLog {
    let path: String
    let descriptor: Int32

    static func make() throws -> TestLog {
        let folder = ProjectFolder.path + "/.build/test-logs"
        let files = FileManager.default
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in try files.contentsOfDirectory(atPath: folder) {
            let file = folder + "/" + name
            let changed = try? files.attributesOfItem(atPath: file)[.modificationDate] as? Date
            if let changed, changed.timeIntervalSinceNow < -86_400 { try? files.removeItem(atPath: file) }
        }
        let path = folder + "/postgres-\(getpid()).log"
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
        return TestLog(path: path, descriptor: descriptor)
    }

    /// The last words.
    var tail: String { (try? String(contentsOfFile: path, encoding: .utf8))?.suffix(500).description ?? "" }

    func close() { Foundation.close(descriptor) }
}
