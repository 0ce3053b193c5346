package import Foundation

/// Signs zones with the tools of ldns, and can spoil what it signed.
package struct ZoneSigner: Sendable {
    /// Names of `example.` whose records are changed after signing, so that they contradict their signatures: the text
    /// to look for in the signed file and what takes its place.
    package var spoils: [(find: String, replace: String)] = []
    /// For how long the signatures are good, from now; negative: they are past.
    package var days = 10

    package static let programs: (keygen: String, sign: String)? = {
        let paths = ["ldns-keygen", "ldns-signzone"].map { "/usr/bin/\($0)" }
        guard paths.allSatisfy({ FileManager.default.isExecutableFile(atPath: $0) }) else { return nil }
        return (paths[0], paths[1])
    }()

    package init(spoils: [(find: String, replace: String)] = [], days: Int = 10) {
        self.days = days
        self.spoils = spoils
    }

    private struct Failed: Error { let text: String }

    /// Signs the file in its place.
    ///
    /// - Returns: a file with the DS records of the key.
    package func sign(_ file: URL, name: String) throws -> String {
        guard let programs = Self.programs else { throw Failed(text: "no ldns-keygen") }
        let folder = file.deletingLastPathComponent()
        let key = try Self.run(programs.keygen, ["-a", "ECDSAP256SHA256", "-k", name], in: folder)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let dates = DateFormatter()
        dates.dateFormat = "yyyyMMddHHmmss"
        dates.timeZone = TimeZone(identifier: "UTC")
        dates.locale = Locale(identifier: "en_US_POSIX")
        let end = Date(timeIntervalSinceNow: Double(days) * 86_400)
        _ = try Self.run(
            programs.sign,
            [
                "-i", dates.string(from: end.addingTimeInterval(-30 * 86_400)), "-e", dates.string(from: end), "-f",
                file.path, file.lastPathComponent, key,
            ], in: folder)
        var text = try String(contentsOf: file, encoding: .utf8)
        for spoil in spoils {
            guard text.contains(spoil.find) else { throw Failed(text: "nothing to spoil: \(spoil.find)") }
            text = text.replacingOccurrences(of: spoil.find, with: spoil.replace)
        }
        try Data(text.utf8).write(to: file)
        return folder.appending(path: key + ".ds").path
    }

    private static func run(_ program: String, _ arguments: [String], in folder: URL) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        let complaint = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(text: complaint) }
        return text
    }
}
