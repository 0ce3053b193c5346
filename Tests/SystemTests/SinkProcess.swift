import Foundation

/// A `sluice sink` and the log that it writes before each reply: what an independent checker counts.
final class SinkProcess {
    let port: Int
    let logPath: String
    private let program: RunningProgram

    /// - Parameters:
    ///   - name: of its files.
    ///   - port: 0 for any.
    init(
        _ directory: TemporaryDirectory, _ arguments: [String] = [], name: String = "sink", port: Int = 0
    ) throws {
        logPath = directory.path + "/\(name).log"
        program = try RunningProgram(
            Programs.sluice,
            ["sink", "--port", "\(port)", "--json", "--with-parent", "--log", logPath, "--log-recipients", "plain"]
                + arguments,
            log: directory.path + "/\(name).err")
        self.port = try program.readPort()
    }

    /// How often each recipient's mail was taken.
    func copies() throws -> [String: Int] {
        var copies: [String: Int] = [:]
        for line in try String(contentsOfFile: logPath, encoding: .utf8).split(separator: "\n") {
            let fields = line.split(separator: "\t")
            guard fields.count >= 4, fields[1] == "accepted" || fields[1] == "dropped" else { continue }
            copies[String(fields[3]), default: 0] += 1
        }
        return copies
    }

    /// The Message-IDs under which each recipient's mail was taken.
    func messageIDs() throws -> [String: Set<String>] {
        var found: [String: Set<String>] = [:]
        for line in try String(contentsOfFile: logPath, encoding: .utf8).split(separator: "\n") {
            let fields = line.split(separator: "\t")
            guard fields.count >= 5, fields[1] == "accepted" || fields[1] == "dropped" else { continue }
            found[String(fields[3]), default: []].insert(String(fields[4]))
        }
        return found
    }

    struct Totals: Decodable {
        let copies, recipients, permanent, temporary: Int
        let dkimPass, dkimFail, tlsSessions: Int

        enum CodingKeys: String, CodingKey {
            case copies, recipients, permanent, temporary
            case dkimPass = "dkim_pass"
            case dkimFail = "dkim_fail"
            case tlsSessions = "tls_sessions"
        }
    }

    func stop() throws -> Totals {
        let output = program.terminate()
        let line = output.split(separator: "\n").last ?? ""
        return try JSONDecoder().decode(Totals.self, from: Data(line.utf8))
    }
}
