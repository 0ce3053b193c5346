import Foundation
import MailSink
import OperatorAPI

/// `sluice sink` as a process of its own, so that its CPU time can be told from the server's.
final class SinkChild: Sendable {
    let port: Int
    private let child: ChildProcess

    init(_ arguments: [String]) throws {
        child = try ChildProcess(["sink", "--port", "0", "--json", "--with-parent"] + arguments)
        guard let line = child.readLine(), let port = line.split(separator: ":").last.flatMap({ Int($0) }) else {
            throw RigError(problem: "the sink did not start")
        }
        self.port = port
    }

    var cpuSeconds: Double { ProcessUsage.cpuSeconds(of: child.identifier) }

    /// Ends it and gives what it has counted.
    @discardableResult
    func stop() throws -> SinkTotals {
        guard let line = child.stop().split(separator: "\n").last else {
            throw RigError(problem: "the sink told no totals")
        }
        return try JSONDecoder().decode(SinkTotals.self, from: Data(line.utf8))
    }
}
