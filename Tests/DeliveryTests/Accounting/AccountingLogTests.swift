import Foundation
import MailTypes
import SMTPProtocol
import Synchronization
import TestSupport
import Testing

@testable import Delivery

struct AccountingLogTests {
    private static func record(_ number: Int) throws -> AttemptRecord {
        AttemptRecord(
            time: 0, batch: BatchID(account: AccountID(rawValue: 1), campaign: CampaignID(rawValue: 2), number: 1),
            recipient: try EmailAddress("ada@example.org"), attempt: number,
            peer: AttemptRecord.Peer(host: "mx.example"),
            report: DeliveryReport(.accepted, .accepted, in: .content, blame: .message), decision: "delivered")
    }

    /// The attempts of a file's lines, in their order.
    private static func attempts(_ path: String) throws -> [Int] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require(object?["attempt"] as? Int)
        }
    }

    private static func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "accounting-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path + "/attempts.json")
    }

    @Test(arguments: [
        (size: 0, age: 1e9, isDue: false), (99, 59, false), (100, 0, true), (101, 0, true), (1, 60, true),
        (1, 59.9, false),
    ])
    func `a file is closed when it is full or old, and never empty`(size: Int, age: Double, isDue: Bool) {
        #expect(AccountingLogRotation(bytes: 100, seconds: 60).isDue(size: size, age: age) == isDue)
    }

    @Test func `older files move one further, the oldest first`() {
        let moves = AccountingLogRotation(kept: 3).moves("log")
        #expect(moves.map(\.from) == ["log.2", "log.1", "log"])
        #expect(moves.map(\.to) == ["log.3", "log.2", "log.1"])
    }

    @Test func `lines come in order, into files that are readable by their owner alone`() throws {
        try Self.inFolder { path in
            let metrics = DeliveryMetrics()
            let log = try AccountingLog(.init(path: path), metrics: metrics, logger: .silent)
            for number in 1...500 { log.note(try Self.record(number)) }
            log.flush()
            #expect(try Self.attempts(path) == Array(1...500))
            #expect(metrics.counts.accountingWritten == 500)
            #expect(metrics.counts.accountingDropped == 0)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
    }

    @Test func `a full file is moved away, and as many are kept as were asked for`() throws {
        try Self.inFolder { path in
            let size = try Self.record(1).line(personalData: false).count
            let rotation = AccountingLogRotation(bytes: 2 * size, seconds: 3_600, kept: 2)
            let log = try AccountingLog(.init(path: path, rotation: rotation), logger: .silent)
            for number in 1...9 { log.note(try Self.record(number)) }
            log.flush()
            #expect(try Self.attempts(path) == [9])
            #expect(try Self.attempts(path + ".1") == [7, 8])
            #expect(try Self.attempts(path + ".2") == [5, 6])
            #expect(!FileManager.default.fileExists(atPath: path + ".3"))
        }
    }

    @Test func `an old file is moved away`() throws {
        try Self.inFolder { path in
            let clock = Mutex(1e9)
            let rotation = AccountingLogRotation(seconds: 60, kept: 2)
            let log = try AccountingLog(
                .init(path: path, rotation: rotation), now: { clock.withLock { $0 } }, logger: .silent)
            for (number, seconds) in [(1, 0.0), (2, 59), (3, 1), (4, 59)] {
                clock.withLock { $0 += seconds }
                log.note(try Self.record(number))
                log.flush()
            }
            #expect(try Self.attempts(path + ".1") == [1, 2])
            #expect(try Self.attempts(path) == [3, 4])
        }
    }

    @Test func `after a reopening lines go to a new file under the name`() throws {
        try Self.inFolder { path in
            let log = try AccountingLog(.init(path: path), logger: .silent)
            log.note(try Self.record(1))
            log.flush()
            try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
            log.reopen()
            log.note(try Self.record(2))
            log.flush()
            #expect(try Self.attempts(path + ".moved") == [1])
            #expect(try Self.attempts(path) == [2])
        }
    }

    @Test func `what comes beyond the bound is dropped and counted`() throws {
        try Self.inFolder { path in
            let metrics = DeliveryMetrics()
            let log = try AccountingLog(.init(path: path), queueLimit: 0, metrics: metrics, logger: .silent)
            for number in 1...3 { log.note(try Self.record(number)) }
            log.flush()
            #expect(metrics.counts.accountingDropped == 3)
            #expect(try Self.attempts(path) == [])
        }
    }

    @Test func `a folder that is gone loses lines, which are counted, until it is back`() throws {
        try Self.inFolder { path in
            let metrics = DeliveryMetrics()
            let folder = path + ".d"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let log = try AccountingLog(.init(path: folder + "/log"), metrics: metrics, logger: .silent)
            try FileManager.default.removeItem(atPath: folder)
            log.reopen()
            log.note(try Self.record(1))
            log.flush()
            #expect(metrics.counts.accountingDropped == 1)
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            log.note(try Self.record(2))
            log.flush()
            #expect(try Self.attempts(folder + "/log") == [2])
            #expect(throws: (any Error).self) {
                try AccountingLog(.init(path: folder), logger: .silent)
            }
        }
    }
}
