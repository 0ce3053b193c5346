import Foundation
import Logging
import MailTypes
import Postgres

/// Nodes of one installation that answer the API, each a process of its own, over one private database; nothing is left of it
/// afterwards.
final class RigFleet: Sendable {
    let records: Records
    let account: AccountID
    /// Of the API, one of each node.
    let ports: [Int]
    private let directory: String
    private let nodes: [ChildProcess]

    static func start(nodes count: Int, logger: Logger) async throws -> RigFleet {
        let directory = try Rig.temporaryDirectory()
        let settings = Settings(isolated: [.data: directory + "/data", .helo: "mail.example.com"])
        let records: Records
        do {
            records = try await Records.open(settings, role: .client, logger: logger)
        } catch {
            try? FileManager.default.removeItem(atPath: directory)
            throw error
        }
        var nodes: [ChildProcess] = []
        do {
            guard let url = records.privateDatabaseURL else { throw RigError(problem: "there is no private database") }
            var ports: [Int] = []
            for number in 0..<count {
                let node = try ChildProcess(
                    [
                        "serve", "--node", "node\(number)", "--roles", "api", "--http", "127.0.0.1:0", "--helo",
                        "mail.example.com", "--public-url", "https://mail.example.com", "--requests-per-minute", "0",
                        "--data", directory + "/data", "--database-url", url, "--operator-socket",
                        "\(directory)/node\(number).sock", "--log-level", "error",
                    ], endsWithParent: true)
                nodes.append(node)
                guard let port = node.readLine()?.split(separator: ":").last.flatMap({ Int($0) }) else {
                    throw RigError(problem: "a node did not start")
                }
                ports.append(port)
            }
            let account = try await records.createAccount(name: "fleet", credits: 1)
            return RigFleet(records, account, ports, directory, nodes)
        } catch {
            await stop(records, directory, nodes)
            throw error
        }
    }

    private init(
        _ records: Records, _ account: AccountID, _ ports: [Int], _ directory: String, _ nodes: [ChildProcess]
    ) {
        self.records = records
        self.account = account
        self.ports = ports
        self.directory = directory
        self.nodes = nodes
    }

    func stop() async { await Self.stop(records, directory, nodes) }

    private static func stop(_ records: Records, _ directory: String, _ nodes: [ChildProcess]) async {
        for node in nodes { node.kill() }
        await records.close()
        try? FileManager.default.removeItem(atPath: directory)
    }
}
