import Foundation
import TestSupport
import Testing

/// Nodes of one installation, each a process of its own: what one of them is told holds on all, without a message between
/// them.
@Suite(.serialized) struct NodesAgreeTests {
    /// Three nodes that answer the API over one PostgreSQL.
    private final class Fleet {
        let directory: TemporaryDirectory
        let database: ExternalPostgres
        let installation: Installation
        let ports: [Int]
        private let others: [RunningProgram]

        init() throws {
            let directory = try TemporaryDirectory()
            self.directory = directory
            database = try ExternalPostgres()
            let installation = try Installation(
                directory: directory, route: "smtp://127.0.0.1:1", credits: 7, databaseURL: database.url())
            self.installation = installation
            others = try ["second", "third"].map { name in
                try installation.startNode(
                    name, roles: "api",
                    ["--http", "127.0.0.1:0", "--operator-socket", "\(directory.path)/\(name).sock"])
            }
            ports = [installation.apiPort] + (try others.map { try $0.readPort() })
        }

        func stop() {
            for node in others { node.kill9() }
            installation.server.kill9()
            database.stop()
        }

        /// A key of the installation's account that was made by command.
        func key(_ arguments: String...) throws -> (id: String, text: String) {
            struct Made: Decodable {
                let id, key: String
            }
            let output = try Programs.run(
                Programs.sluice,
                ["key", "create", "--account", installation.account, "further", "--json"] + arguments + [
                    "--data", directory.path + "/data", "--database-url", database.url(),
                ])
            let made = try JSONDecoder().decode(Made.self, from: Data(output.utf8))
            return (made.id, made.key)
        }

        /// The status that a node answers with.
        func status(_ port: Int, _ path: String, key: String, _ arguments: String...) throws -> Int {
            let text = try Programs.run(
                "/usr/bin/env",
                [
                    "curl", "-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}", "-H",
                    "Authorization: Bearer \(key)", "http://127.0.0.1:\(port)\(path)",
                ] + arguments)
            return try #require(Int(text))
        }

        /// The statuses of so many calls at once, spread over the nodes.
        func statuses(_ calls: Int, _ path: String, key: String) throws -> [Int: Int] {
            let list = directory.path + "/calls"
            let lines = (0..<calls).map {
                "url = \"http://127.0.0.1:\(ports[$0 % ports.count])\(path)\"\noutput = /dev/null\n"
            }
            try lines.joined().write(toFile: list, atomically: false, encoding: .utf8)
            let output = try Programs.run(
                "/usr/bin/env",
                [
                    "curl", "-sS", "--max-time", "60", "--parallel", "--parallel-immediate", "--parallel-max",
                    "\(calls)", "-w", "%{http_code}\n", "-H", "Authorization: Bearer \(key)", "--config", list,
                ])
            return output.split(separator: "\n").reduce(into: [:]) { $0[Int($1) ?? 0, default: 0] += 1 }
        }
    }

    @Test(.timeLimit(.minutes(5))) func `three nodes: a limit is one limit, and a revoked key is out`() async throws {
        let fleet = try Fleet()
        defer { fleet.stop() }

        // What is not there is asked for: nothing but the limit decides.
        let limited = try fleet.key("--requests-per-minute", "60")
        #expect(try fleet.statuses(200, "/v1/campaigns/none", key: limited.text) == [404: 60, 429: 140])
        for port in fleet.ports { #expect(try fleet.status(port, "/v1/credits", key: limited.text) == 429) }

        for (number, port) in fleet.ports.enumerated() {
            let revoked = try fleet.key()
            for port in fleet.ports { #expect(try fleet.status(port, "/v1/credits", key: revoked.text) == 200) }
            #expect(
                try fleet.status(port, "/v1/keys/\(revoked.id)", key: fleet.installation.key, "-X", "DELETE") == 204)
            // The node that was told knows at once, the others when they ask again: after a second at most.
            #expect(try fleet.status(port, "/v1/credits", key: revoked.text) == 401)
            try await Task.sleep(for: .seconds(1))
            for other in fleet.ports {
                #expect(try fleet.status(other, "/v1/credits", key: revoked.text) == 401, "revoked on node \(number)")
            }
        }
    }

    @Test(.timeLimit(.minutes(5))) func `limits of an account are taken on by every node, and taken back`() async throws
    {
        let fleet = try Fleet()
        defer { fleet.stop() }
        let body = ["-H", "Content-Type: application/json", "-d", #"{"name": "n", "scopes": ["credits:read"]}"#]
        func create(_ port: Int) throws -> Int {
            try fleet.status(port, "/v1/keys", key: fleet.installation.key, body[0], body[1], body[2], body[3])
        }
        func limits(_ change: String, _ value: String) throws {
            try fleet.installation.sluice(
                "account", "limits", "--account", fleet.installation.account, change, value)
        }
        for port in fleet.ports { #expect(try create(port) == 201) }
        // The account has more than that already, and keeps it.
        try limits("--set", "keys=2")
        for port in fleet.ports { try await eventually("node at \(port) refuses") { try create(port) == 409 } }
        for port in fleet.ports { #expect(try fleet.status(port, "/v1/keys", key: fleet.installation.key) == 200) }
        try limits("--reset", "keys")
        for port in fleet.ports { try await eventually("node at \(port) takes them again") { try create(port) == 201 } }
    }
}
