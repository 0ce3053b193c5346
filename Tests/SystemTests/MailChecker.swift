import Foundation

/// Runs `check_mails.py`: dkimpy and Python's email package judge mails.
struct MailChecker {
    enum Source: String {
        case capture, maildir
    }

    struct Verdict {
        let status: Int32
        /// A line for each fault.
        let faults: [String]
        let mails: Int
        let signatures: Int
    }

    private static let python = "/usr/bin/python3"
    private static let script = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("check_mails.py").path

    /// Nil, after printing why the test is skipped, where Debian's python3-dkim and python3-nacl are not installed.
    init?() {
        guard let found = try? Programs.finish(Self.python, ["-c", "import dkim, nacl.signing"]), found.status == 0
        else {
            print("skipped: python3-dkim and python3-nacl are not installed")
            return nil
        }
    }

    /// - Parameters:
    ///   - expected: what each envelope recipient's copy holds.
    ///   - keys: DNS names and TXT values of the DKIM keys.
    func check(
        _ source: Source, _ folder: String, expected: [String: MailExpectation], keys: [String: String],
        in directory: TemporaryDirectory
    ) throws -> Verdict {
        let name = directory.path + "/check-" + String(UInt32.random(in: 0 ..< .max), radix: 36)
        try JSONEncoder().encode(expected).write(to: URL(fileURLWithPath: name + "-expected.json"))
        try JSONEncoder().encode(keys).write(to: URL(fileURLWithPath: name + "-keys.json"))
        let finished = try Programs.finish(
            Self.python,
            [
                Self.script, "--\(source)", folder, "--expected", name + "-expected.json", "--keys",
                name + "-keys.json",
            ])
        struct Totals: Decodable {
            let mails, signatures: Int
        }
        let lines = finished.output.split(separator: "\n").map(String.init)
        guard let last = lines.last, let totals = try? JSONDecoder().decode(Totals.self, from: Data(last.utf8)) else {
            throw ProgramFailure(program: Self.python, arguments: [Self.script], finished: finished)
        }
        return Verdict(
            status: finished.status, faults: lines.dropLast(), mails: totals.mails, signatures: totals.signatures)
    }
}
