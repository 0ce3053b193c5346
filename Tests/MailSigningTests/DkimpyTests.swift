import Foundation
import MailSigning
import Testing

/// A second independent verifier: dkimpy, where Python has it.
@Suite struct DkimpyTests {
    private static let script = """
        import json, sys
        try:
            import dkim, nacl
        except ImportError as error:
            print(error)
            sys.exit(77)
        keys = {name.encode(): value.encode() for name, value in json.load(open(sys.argv[1])).items()}
        def look_up(name, timeout=5):
            return keys.get(name.rstrip(b"."))
        for path in sys.argv[2:]:
            message = open(path, "rb").read()
            checker = dkim.DKIM(message)
            count = sum(name.lower() == b"dkim-signature" for name, value in checker.headers)
            for index in range(count):
                try:
                    result = dkim.DKIM(message).verify(idx=index, dnsfunc=look_up)
                except dkim.DKIMException as error:
                    result = repr(error)
                print(path.split("/")[-1], index, result)
        """

    private static func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    @Test func `dkimpy accepts what we sign and nothing else`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dkimpy-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let keys = folder.appending(path: "keys.json")
        try JSONEncoder().encode(TestKeys.records).write(to: keys)

        let signer = try TestKeys.signer()
        var paths: [String] = []
        var expected: [String] = []
        for (index, shape) in MessageShapes.all.enumerated() {
            let (message, bodyOffset) = MessageShapes.bytes(shape.text)
            var signed = try signer.sign(message, bodyOffset: bodyOffset, at: TestKeys.time) + message
            // As it travels: SMTP's last line always has its end.
            if !signed.reversed().starts(with: [0x0A]) { signed += [0x0D, 0x0A] }
            // dkimpy reads a field whose name a space follows as another field (RFC 5322 §4.5 is obsolete syntax), and it
            // takes form feeds and other controls for line ends of the header.
            if ["white space in fields", "control characters"].contains(shape.name) { continue }
            for (kind, bytes, result) in [
                ("good", signed, "True"),
                ("second-from", Array("From: m@example.com\r\n".utf8) + signed, "False"),
                ("longer", signed + Array("\r\nmore\r\n".utf8), "ValidationError"),
            ] {
                let path = folder.appending(path: "\(index)-\(kind).eml")
                try Data(bytes).write(to: path)
                paths.append(path.path)
                expected += [0, 1].map { "\(index)-\(kind).eml \($0) \(result)" }
            }
        }
        let (status, output) = try Self.run([keys.path] + paths)
        guard status != 77, status != 127 else {
            print("skipped: dkimpy is not installed (\(output.split(separator: "\n").first ?? "no python3"))")
            return
        }
        #expect(status == 0)
        let lines = output.split(separator: "\n").map { line in
            line.contains("ValidationError(") ? line.prefix(while: { $0 != "V" }) + "ValidationError" : line[...]
        }
        #expect(lines.map(String.init) == expected)
    }
}
