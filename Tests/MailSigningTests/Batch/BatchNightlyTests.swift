import Foundation
import MailTypes
import TestSupport
import Testing

@testable import MailSigning

/// Long runs: `make nightly`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SLUICE_NIGHTLY"] != nil))
struct BatchNightlyTests {
    private static let keys = 100

    @Test func `a million digests over a hundred keys are what libcrypto makes`() async throws {
        var generator = SeededGenerator(Seed.of(1))
        let signers = try (0..<Self.keys).map { _ in
            try DKIMSigner(domain: TestKeys.domain, keys: [("s", .generate(.rsaSHA256))])
        }
        let batch = BatchSigner(Lanes.best, detail: "")
        var wrong = 0
        for round in 0..<125_000 {
            let chosen = (0..<8).map { signers[(round * 8 + $0 * 13) % Self.keys] }
            let signatures = Lanes.pending(Lanes.digests(8, &generator), by: chosen)
            batch.make(signatures)
            for signature in signatures where try await signature.value() != signature.reference { wrong += 1 }
        }
        print("1,000,000 digests by \(Lanes.best.name)")
        #expect(wrong == 0)
        #expect(batch.status.counts.passes == [0, 0, 0, 0, 0, 0, 0, 125_000] && batch.status.counts.mismatches == 0)
    }

    @Test func `libopendkim and dkimpy accept ten thousand mails of a hundred keys`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "batch-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var records: [String: String] = [:]
        let signers = try (0..<Self.keys).map { number in
            let key = try DKIMKey.generate(.rsaSHA256)
            records["s\(number)._domainkey.example.org"] = key.dnsRecord
            return try DKIMSigner(domain: TestKeys.domain, keys: [("s\(number)", key)])
        }
        let queue = SigningQueue(BatchSigner(Lanes.best, detail: ""))
        var begun: [(signature: MailSignature, message: [UInt8])] = []
        for number in 0..<10_000 {
            let (message, bodyOffset) = MessageShapes.bytes(MessageShapes.complete.replacing("4711", with: "\(number)"))
            let signature = try queue.begin(
                message, bodyOffset: bodyOffset, at: TestKeys.time, by: signers[number % Self.keys])
            begun.append((signature, message))
        }
        let verifier = try DKIMVerifier(keys: records)
        var (refused, mails) = (0, [UInt8]())
        for mail in begun {
            let signed = try await mail.signature.fields() + mail.message
            if try verifier.verify(signed).signatures.map(\.result) != [.pass] { refused += 1 }
            mails += signed + [0]
        }
        #expect(refused == 0)
        let counts = queue.status.counts
        #expect(counts.passes[7] == 1_250 && counts.mismatches == 0)
        try Data(mails).write(to: folder.appending(path: "mails"))
        try JSONEncoder().encode(records).write(to: folder.appending(path: "keys.json"))
        let accepted = try Self.acceptedByDkimpy(folder)
        guard accepted != "missing" else { return print("skipped: dkimpy is not installed") }
        #expect(accepted == "10000")
    }

    /// Mails end with a NUL in one file.
    private static func acceptedByDkimpy(_ folder: URL) throws -> String {
        let script = """
            import json, sys
            try:
                import dkim
            except ImportError:
                print("missing")
                sys.exit()
            keys = {name.encode(): value.encode() for name, value in json.load(open(sys.argv[1] + "/keys.json")).items()}
            mails = open(sys.argv[1] + "/mails", "rb").read().split(b"\\0")[:-1]
            look_up = lambda name, timeout=5: keys.get(name.rstrip(b"."))
            print(sum(dkim.verify(mail, dnsfunc=look_up) for mail in mails))
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script, folder.path]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
