import Foundation
import Identity
import NIOCore
import NIOHTTP1
import Synchronization

extension APIBenchmark {
    /// Three nodes, each a process of its own.
    struct Fleet: Encodable {
        /// Of 200 calls at once, spread over the nodes, under a key with 60 a minute: how many passed, in each round.
        let passed: [Int]
        /// From the answer to a revocation to the last request, on any node, that began later and was still let in; in
        /// milliseconds, of each try.
        let revocations: LatencyHistogram.Summary
        /// Tries in which that was a second at most.
        let withinASecond: Int

        func add(to table: inout TextTable) {
            table.add(
                "\(calls) calls over \(nodes) nodes, limit \(limit): passed",
                passed.map(String.init).joined(separator: ", "))
            table.add(
                "revoked on one node, out on all \(nodes) within 1 s", "\(withinASecond) of \(revocations.count)")
            table.add("  median, 99 % and longest", revocations.text)
        }
    }

    func fleet() async throws -> Fleet {
        let fleet = try await RigFleet.start(nodes: Self.nodes, logger: logger)
        do {
            var passed: [Int] = []
            for _ in 0..<Self.limitRounds { passed.append(try await Self.passed(fleet)) }
            let milliseconds = try await revocations(fleet)
            var histogram = LatencyHistogram()
            for time in milliseconds { histogram.record(microseconds: Int64(time * 1_000)) }
            await fleet.stop()
            return Fleet(
                passed: passed, revocations: histogram.summary, withinASecond: milliseconds.count { $0 <= 1_000 })
        } catch {
            await fleet.stop()
            throw error
        }
    }

    /// Asks for what is not there, so that nothing but the limit decides.
    private static func question(_ key: String) -> ByteBuffer {
        ByteBuffer(string: request("GET", "/v1/campaigns/none", key: key))
    }

    private static func passed(_ fleet: RigFleet) async throws -> Int {
        let key = try await fleet.records.keys.create(
            account: fleet.account, name: "limited", requestsPerMinute: limit
        ).key
        let question = question(key.exposed)
        let statuses = Mutex<[Int: Int]>([:])
        try await HTTPLoad.run(connections: calls, ports: fleet.ports) { _, answer in
            guard let answer else { return .send(question) }
            statuses.withLock { $0[answer.status, default: 0] += 1 }
            return .end
        }
        let found = statuses.withLock { $0 }
        guard Set(found.keys).isSubset(of: [404, 429]) else { throw RigError(problem: "the nodes answered \(found)") }
        return found[404] ?? 0
    }

    /// Ten at a time: each waits for most of a second.
    private func revocations(_ fleet: RigFleet) async throws -> [Double] {
        let administrator = try await fleet.records.keys.create(account: fleet.account, name: "administrator").key
        let clients = fleet.ports.map { APIClient(base: "http://127.0.0.1:\($0)", key: administrator.exposed) }
        var milliseconds: [Double] = []
        for first in stride(from: 0, to: tries, by: 10) {
            milliseconds += try await withThrowingTaskGroup(of: Double.self) { group in
                for number in first..<min(tries, first + 10) {
                    group.addTask { try await Self.revocation(fleet, clients[number % clients.count]) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        return milliseconds
    }

    private static func revocation(_ fleet: RigFleet, _ client: APIClient) async throws -> Double {
        let made = try await fleet.records.keys.create(account: fleet.account, name: "revoked")
        let question = question(made.key.exposed)
        let accepted = Accepted()
        async let asked = HTTPLoad.run(connections: fleet.ports.count, ports: fleet.ports) { node, answer in
            guard let answer else { return .send(question) }
            guard answer.status == 404 else { return .end }
            accepted.note(answer, by: node)
            return .send(question, after: .milliseconds(5))
        }
        while accepted.nodes < fleet.ports.count { try await Task.sleep(for: .milliseconds(5)) }
        // Anywhere in the second for which the nodes believe it.
        try await Task.sleep(for: .milliseconds(.random(in: 0..<1_000)))
        _ = try await client.text(.DELETE, "/v1/keys/\(made.record.id)")
        let revokedAt = ContinuousClock.now
        _ = try await asked
        return max(0, ((accepted.last ?? revokedAt) - revokedAt) / .milliseconds(1))
    }

    /// When each node last let a key in, by the time at which it was asked.
    private final class Accepted: Sendable {
        private let instants = Mutex<[Int: ContinuousClock.Instant]>([:])

        func note(_ answer: HTTPLoad.Answer, by node: Int) { instants.withLock { $0[node] = answer.sentAt } }

        var nodes: Int { instants.withLock { $0.count } }
        var last: ContinuousClock.Instant? { instants.withLock { $0.values.max() } }
    }
}
