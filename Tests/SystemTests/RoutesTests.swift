import Foundation
import Testing

/// A server whose file names two smarthosts.
@Suite(.serialized) struct RoutesTests {
    @Test(.timeLimit(.minutes(5))) func twoSmarthostsAndThenOne() async throws {
        let (first, second) = (try TemporaryDirectory(), try TemporaryDirectory())
        let directory = try TemporaryDirectory()
        let (one, two) = (try SinkProcess(first), try SinkProcess(second))
        let file = directory.path + "/routes.yaml"
        try """
        routes:
          - url: smtp://127.0.0.1:\(one.port)
            weight: 2
          - {url: "smtp://localhost:\(two.port)", connections: 4}
        """.write(toFile: file, atomically: false, encoding: .utf8)
        let installation = try Installation(
            directory: directory, route: nil, credits: 400, serve: ["--routes", file])
        defer { installation.killWithDatabase() }
        func send(_ range: Range<Int>) async throws -> Int? {
            let lines = range.map { #"{"email":"r\#($0)@example.org"}"# }
            let campaign = try installation.send(
                subject: "Hello", text: "Hello", recipients: lines.joined(separator: "\n"))
            return try await installation.wait(for: campaign, seconds: 60)["delivered"]
        }
        #expect(try await send(0..<200) == 200)
        let (atOne, atTwo) = (try one.copies(), try two.copies())
        #expect(atOne.count > atTwo.count && atTwo.count > 20)
        #expect(atOne.merging(atTwo, uniquingKeysWith: +).count == 200)
        let lanes = try installation.sluice("lane", "list")
        #expect(lanes.contains("127.0.0.1:\(one.port)") && lanes.contains("localhost:\(two.port)"), "\(lanes)")
        // One goes away: its mail arrives by the other.
        _ = try one.stop()
        #expect(try await send(200..<300) == 100)
        #expect(try two.copies().filter { $0.key.hasPrefix("r2") && $0.key.count == 16 }.count == 100)
    }
}
