import Foundation
import Testing

@testable import Vault

@Suite("Master key")
struct MasterKeyTests {
    private static let octets = Array(UInt8(100)..<132)
    private static let hexadecimalText = octets.map { String(format: "%02x", $0) }.joined()
    private static let base64Text = Data(octets).base64EncodedString()

    @Test(arguments: [
        hexadecimalText, hexadecimalText.uppercased(), " \(hexadecimalText)\r\n", base64Text, "\(base64Text)\n",
        base64Text.replacingOccurrences(of: "=", with: ""),
        base64Text.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_"),
    ])
    func `reads every form people keep a key in`(text: String) throws {
        let key = try MasterKey.load(environment: text, file: "/nonexistent/key")
        #expect(key.text == Self.hexadecimalText)
    }

    @Test(arguments: [
        "", " ", "secret", String(hexadecimalText.dropLast()), hexadecimalText + "00",
        String(hexadecimalText.dropLast()) + "g", Data(octets.dropLast()).base64EncodedString(),
        Data(octets + [1]).base64EncodedString(), hexadecimalText.replacingOccurrences(of: "6", with: "é"),
    ])
    func `refuses anything else`(text: String) throws {
        let error = #expect(throws: VaultError.self) {
            try MasterKey.load(environment: text, file: "/nonexistent/key")
        }
        #expect(error?.code == .malformedMasterKey)
        #expect(error.map { text.count < 5 || !$0.detail.contains(text) } == true)
    }

    @Test func `the file is made once and read again`() throws {
        try withDirectory { directory in
            let path = directory + "/master.key"
            let first = try MasterKey.load(environment: nil, file: path)
            let second = try MasterKey.load(environment: nil, file: path)
            #expect(first.text == second.text)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["master.key"])
        }
    }

    @Test func `two new files hold different keys`() throws {
        try withDirectory { directory in
            let one = try MasterKey.load(environment: nil, file: directory + "/one")
            let two = try MasterKey.load(environment: nil, file: directory + "/two")
            #expect(one.text != two.text)
        }
    }

    @Test func `many programs that start together share one key`() async throws {
        let directory = try makeDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/master.key"
        let texts = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 {
                group.addTask { @concurrent in try MasterKey.load(environment: nil, file: path).text }
            }
            var texts: Set<String> = []
            for try await text in group { texts.insert(text) }
            return texts
        }
        #expect(texts.count == 1)
    }

    @Test(arguments: [Array(hexadecimalText.utf8), Array((base64Text + "\n").utf8), octets])
    func `the file may hold any form`(content: [UInt8]) throws {
        try withDirectory { directory in
            let path = directory + "/master.key"
            try write(content, to: path, mode: 0o400)
            #expect(try MasterKey.load(environment: nil, file: path).text == Self.hexadecimalText)
        }
    }

    @Test(arguments: [0, 1, 31, 33, 5_000])
    func `a file with anything else is refused`(count: Int) throws {
        try withDirectory { directory in
            let path = directory + "/master.key"
            try write([UInt8](repeating: 0x7A, count: count), to: path, mode: 0o600)
            #expect(failure { try MasterKey.load(environment: nil, file: path) } == .malformedMasterKey)
        }
    }

    @Test(arguments: [0o644, 0o640, 0o604, 0o620])
    func `a file that others may read is refused`(mode: Int) throws {
        try withDirectory { directory in
            let path = directory + "/master.key"
            try write(Self.octets, to: path, mode: mode)
            let error = #expect(throws: VaultError.self) { try MasterKey.load(environment: nil, file: path) }
            #expect(error?.code == .unreadableMasterKey)
            #expect(error?.detail.contains("chmod 600") == true)
        }
    }

    @Test func `a directory or a missing folder is refused`() throws {
        try withDirectory { directory in
            #expect(failure { try MasterKey.load(environment: nil, file: directory) } == .unreadableMasterKey)
            let missing = directory + "/missing/master.key"
            #expect(failure { try MasterKey.load(environment: nil, file: missing) } == .unreadableMasterKey)
        }
    }

    @Test func `the environment comes first and makes no file`() throws {
        try withDirectory { directory in
            let path = directory + "/master.key"
            let key = try MasterKey.load(environment: Self.base64Text, file: path)
            #expect(key.text == Self.hexadecimalText)
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    private func withDirectory(_ body: (String) throws -> Void) throws {
        let directory = try makeDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try body(directory)
    }

    private func makeDirectory() throws -> String {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("sluice-master-key-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        return directory
    }

    private func write(_ content: [UInt8], to path: String, mode: Int) throws {
        try Data(content).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
}
