import Foundation
import Synchronization

/// Programs that tests start as processes: the built `sluice` and its peers.
enum Programs {
    /// The repository's root.
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The `sluice` that was built together with this test.
    static let sluice: String = {
        let products = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let beside = products.appendingPathComponent("sluice").path
        if FileManager.default.isExecutableFile(atPath: beside) { return beside }
        return root.appendingPathComponent(".build/debug/sluice").path
    }()

    /// The first of these paths that can be run.
    static func find(_ candidates: String...) -> String? {
        candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Runs a program to its end.
    ///
    /// - Returns: standard output; standard error is part of the error.
    @discardableResult
    static func run(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil,
        expecting status: Int32 = 0
    ) throws -> String {
        let finished = try finish(path, arguments, environment: environment, input: input)
        guard finished.status == status else {
            throw ProgramFailure(program: path, arguments: arguments, finished: finished)
        }
        return finished.output
    }

    /// The environment of this test without the settings of an installation on this machine, which would otherwise be examined
    /// in the place of none.
    fileprivate static func environment(_ more: [String: String], data: String) -> [String: String] {
        ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("SLUICE_") }
            .merging(["SLUICE_DATA": data]) { $1 }
            .merging(more) { $1 }
    }

    struct Finished {
        let status: Int32
        let output: String
        let errors: String
    }

    static func finish(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil
    ) throws -> Finished {
        let directory = try TemporaryDirectory()
        let errorFile = directory.path + "/stderr"
        _ = FileManager.default.createFile(atPath: errorFile, contents: nil)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = Self.environment(environment, data: directory.path + "/data")
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle(forWritingAtPath: errorFile)
        if let input {
            let inputFile = directory.path + "/stdin"
            try input.write(toFile: inputFile, atomically: false, encoding: .utf8)
            process.standardInput = FileHandle(forReadingAtPath: inputFile)
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let errors = (try? String(contentsOfFile: errorFile, encoding: .utf8)) ?? ""
        return Finished(
            status: process.terminationStatus, output: String(decoding: data, as: UTF8.self), errors: errors)
    }
}

struct ProgramFailure: Error, CustomStringConvertible {
    let program: String
    let arguments: [String]
    let finished: Programs.Finished

    var description: String {
        "\(program) \(arguments.joined(separator: " ")) ended with \(finished.status): \(finished.errors)\(finished.output)"
    }
}

/// A program that runs beside the test; killed at the latest when the last reference goes.
final class RunningProgram: @unchecked Sendable {
    private let process = Process()
    private let output = Pipe()

    /// - Parameter log: file that takes its standard error.
    init(_ path: String, _ arguments: [String], environment: [String: String] = [:], log: String) throws {
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
        }
        let errors = FileHandle(forWritingAtPath: log)
        try errors?.seekToEnd()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = Programs.environment(environment, data: log + ".data")
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    var isRunning: Bool { process.isRunning }
    var identifier: pid_t { process.processIdentifier }

    /// The number behind the last colon of the first line: the port that the program listens on.
    func readPort() throws -> Int {
        var line = ""
        while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != 10 {
            line.unicodeScalars.append(Unicode.Scalar(byte))
        }
        guard let text = line.split(separator: ":").last, let port = Int(text) else {
            throw ProgramFailure(
                program: process.executableURL?.path ?? "", arguments: process.arguments ?? [],
                finished: .init(status: -1, output: line, errors: "no port was printed"))
        }
        return port
    }

    func kill9() {
        kill(process.processIdentifier, SIGKILL)
        waitForEnd()
    }

    /// Looks at the process itself: Foundation waits for a socket that the program's own children inherit, and the
    /// database of a killed server lives on.
    private func waitForEnd() {
        let stat = "/proc/\(process.processIdentifier)/stat"
        while let text = try? String(contentsOfFile: stat, encoding: .utf8), !text.contains(") Z ") {
            usleep(5_000)
        }
    }

    /// Asks it to end and gives what it printed since.
    func terminate() -> String {
        kill(process.processIdentifier, SIGTERM)
        waitForEnd()
        let rest = output.fileHandleForReading.availableData
        return String(decoding: rest, as: UTF8.self)
    }
}

/// A directory that goes with the last reference. Others may pass through it, because servers drop to other users.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/sluice-test-" + String(UInt64.random(in: 0 ..< .max), radix: 36)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
