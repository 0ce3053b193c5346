import Foundation
import Glibc
import Synchronization

/// This program, started once more with other arguments: the sink beside a demo, say.
final class ChildProcess: Sendable {
    private let process: Mutex<Process>
    private let output = Pipe()

    /// - Parameter endsWithParent: the system kills it when this process ends, however that happens.
    init(_ arguments: [String], endsWithParent: Bool = false) throws {
        let process = Process()
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.executableURL = endsWithParent ? URL(fileURLWithPath: "/usr/bin/setpriv") : program
        process.arguments = endsWithParent ? ["--pdeathsig", "KILL", program.path] + arguments : arguments
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        identifier = process.processIdentifier
        self.process = Mutex(process)
    }

    let identifier: pid_t

    /// The next line of its output, without the line end.
    func readLine() -> String? {
        var line: [UInt8] = []
        while let byte = try? output.fileHandleForReading.read(upToCount: 1)?.first {
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
    }

    /// Asks it to end and gives the rest of its output.
    func stop() -> String {
        Glibc.kill(identifier, SIGTERM)
        let rest = (try? output.fileHandleForReading.readToEnd()) ?? Data()
        process.withLock { $0.waitUntilExit() }
        return String(decoding: rest, as: UTF8.self)
    }

    /// Ends it at once, for processes that have nothing to lose.
    func kill() {
        Glibc.kill(identifier, SIGKILL)
        process.withLock { $0.waitUntilExit() }
    }
}
