import Foundation
import Logging
import Synchronization
import Testing

@testable import Application

struct JSONLogHandlerTests {
    private final class Output: Sendable {
        let lines = Mutex<[String]>([])
    }

    private struct Trouble: Error, CustomStringConvertible {
        let description = "it \"broke\"\n"
    }

    private func lines(_ write: (inout Logger) -> Void) throws -> [[String: String]] {
        let output = Output()
        var logger = Logger(label: "sluice") { label in
            JSONLogHandler(label: label) { line in output.lines.withLock { $0.append(line) } }
        }
        logger.logLevel = .debug
        write(&logger)
        return try output.lines.withLock { $0 }.map { line in
            #expect(line.hasSuffix("}\n") && line.filter { $0 == "\n" }.count == 1)
            return try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        }
    }

    @Test func `a line is an object with its metadata`() throws {
        let found = try lines { logger in
            logger[metadataKey: "node"] = "a"
            logger.warning("some \"thing\"", metadata: ["count": "3", "node": "b", "list": ["x", "y"]])
        }
        let line = try #require(found.first)
        #expect(found.count == 1 && line["level"] == "warning" && line["logger"] == "sluice")
        #expect(line["message"] == "some \"thing\"" && line["count"] == "3" && line["node"] == "b")
        #expect(line["list"]?.contains("x") == true)
        #expect(line["time"]?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil, "\(line["time"] ?? "")")
    }

    @Test func `keys of the line itself stand in it once`() throws {
        let found = try lines { $0.error("m", metadata: ["level": "9", "time": "now", "error": "\(Trouble())"]) }
        #expect(found[0]["metadata_level"] == "9" && found[0]["metadata_time"] == "now" && found[0]["level"] == "error")
        #expect(found[0]["error"] == "it \"broke\"\n")
    }

    @Test func `what is below the level is not written`() throws {
        #expect(try lines { $0.trace("m") }.isEmpty)
    }

    @Test(arguments: ["xml", "JSON", ""]) func `other formats are refused`(_ format: String) {
        #expect(throws: SettingError.self) { _ = try Settings(isolated: [.logFormat: format]).logger("sluice") }
    }
}
