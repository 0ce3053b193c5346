import Foundation
import Logging
import TestSupport
import Testing

@testable import OperatorAPI

/// The place of the socket; that nobody else may connect is seen at a running server.
struct OperatorSocketTests {
    private let logger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }

    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = "/tmp/operator-\(UInt32.random(in: 0 ..< .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test func `what is bound lies where nobody else may enter, and is moved`() throws {
        try inFolder { folder in
            let socket = OperatorSocket(folder + "/operator.sock")
            #expect(socket.prepare(logger))
            let workshop = (socket.bindPath as NSString).deletingLastPathComponent
            let mode = try FileManager.default.attributesOfItem(atPath: workshop)[.posixPermissions] as? Int
            #expect(mode == 0o700)
            #expect(FileManager.default.createFile(atPath: socket.bindPath, contents: nil))
            socket.publish(logger)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["operator.sock"])
            socket.remove()
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
        }
    }

    @Test func `a path that no socket can have is refused`() throws {
        try inFolder { folder in
            #expect(!OperatorSocket(folder + "/" + String(repeating: "a", count: 100)).prepare(logger))
            #expect(!OperatorSocket(folder + "/none/operator.sock").prepare(logger))
            let left = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(left.isEmpty)
        }
    }
}
