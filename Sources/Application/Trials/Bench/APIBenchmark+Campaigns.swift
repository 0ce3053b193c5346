import Foundation
import NIOCore
import Postgres
import Synchronization

extension APIBenchmark {
    /// Campaigns with something beside them and without, in turns.
    struct Cost: Encodable {
        let recipients: Int
        let key: Scenario.Key
        /// Mails a second from send to completion, of each campaign.
        let without, with: [Double]
        /// PostgreSQL's CPU for 1,000 mails, the mean of all.
        let postgresWithout, postgresWith: Double

        /// Of the mails a second, 0…1; below zero where the others were slower.
        var share: Double { 1 - Self.mean(with) / Self.mean(without) }

        static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }

        func add(to table: inout TextTable, without: String, with: String) {
            for (name, rates) in [(without, self.without), ("  " + with, self.with)] {
                table.add(name, rates.map { grouped(Int($0)) }.joined(separator: ", ") + "/s")
            }
            table.add("  costs", String(format: "%.1f %% of the mails a second", share * 100))
            table.add(
                "  PostgreSQL's CPU for 1,000",
                String(format: "%.3f s without, %.3f s with", postgresWithout, postgresWith))
            table.add("  campaigns", "\(grouped(recipients)) recipients each, \(key.rawValue)")
        }
    }

    /// Strangers who try passwords.
    struct SignIns: Encodable {
        let cost: Cost
        let strangers: Int
        /// How often each status was answered.
        let answers: [Int: Int]

        func add(to table: inout TextTable) {
            cost.add(
                to: &table, without: "mails, nobody signs in", with: "while \(strangers) clients try passwords")
            let told = answers.sorted { $0.key < $1.key }.map { "\(grouped($0.value)) × \($0.key)" }
            table.add("  they were answered", told.joined(separator: ", "))
        }
    }

    private struct Sent {
        let perSecond, postgresPerThousand: Double
    }

    private func send(_ rig: Rig) async throws -> Sent {
        let path = try await rig.client.draft(scenario, scenario.messages, from: rig.domain).path
        let usage = Usage(rig)
        let start = ContinuousClock.now
        _ = try await rig.client.post(path + "/send", as: APIClient.Campaign.self)
        let counters = try await rig.client.waitForEnd(path).counters
        let seconds = (ContinuousClock.now - start).inSeconds
        guard counters.delivered == scenario.messages else {
            throw RigError(problem: "only \(counters.delivered) of \(scenario.messages) were delivered")
        }
        return Sent(
            perSecond: Double(scenario.messages) / seconds,
            postgresPerThousand: usage.since(rig).postgres * 1_000 / Double(scenario.messages))
    }

    /// - Parameter measure: one campaign with what is measured, or without.
    private func compare(_ rig: Rig, _ measure: (Bool) async throws -> Sent) async throws -> Cost {
        try await rig.client.warmUp(scenario, from: rig.domain)
        var (without, with): ([Sent], [Sent]) = ([], [])
        for pair in 0..<pairs {
            // What grows warmer or fuller from one campaign to the next falls on both.
            for isWith in pair % 2 == 0 ? [false, true] : [true, false] {
                let sent = try await measure(isWith)
                if isWith { with.append(sent) } else { without.append(sent) }
            }
        }
        return Cost(
            recipients: scenario.messages, key: scenario.key, without: without.map(\.perSecond),
            with: with.map(\.perSecond), postgresWithout: Cost.mean(without.map(\.postgresPerThousand)),
            postgresWith: Cost.mean(with.map(\.postgresPerThousand)))
    }

    // MARK: Row-level security

    func isolation(_ rig: Rig) async throws -> Cost {
        let isolated = try await rig.records.withOwner { connection in
            try await connection.query(
                """
                SELECT relname::text FROM pg_class
                WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace ORDER BY 1
                """
            ).map { try $0.decode(String.self) }
        }
        guard !isolated.isEmpty else { throw RigError(problem: "no table has row-level security") }
        return try await compare(rig) { isWith in
            try await rig.records.withOwner { connection in
                for table in isolated {
                    try await connection.execute(
                        script: "ALTER TABLE \"\(table)\" \(isWith ? "ENABLE" : "DISABLE") ROW LEVEL SECURITY")
                }
            }
            return try await send(rig)
        }
    }

    // MARK: Sign-ins

    /// What strangers were answered, until the campaign is over.
    private final class Strangers: Sendable {
        private let state = Mutex((answers: [Int: Int](), areToEnd: false))

        var answers: [Int: Int] { state.withLock { $0.answers } }

        /// - Returns: whether to go on.
        func note(_ answer: HTTPLoad.Answer?) -> Bool {
            state.withLock { state in
                if let answer { state.answers[answer.status, default: 0] += 1 }
                return !state.areToEnd
            }
        }

        func begin() { state.withLock { $0.areToEnd = false } }
        func end() { state.withLock { $0.areToEnd = true } }
    }

    func signIns(_ rig: Rig) async throws -> SignIns {
        let strangers = Strangers()
        let port = try rig.client.port
        let cost = try await compare(rig) { isWith in
            guard isWith else { return try await send(rig) }
            strangers.begin()
            async let load = HTTPLoad.run(connections: Self.strangers, ports: [port]) { number, answer in
                strangers.note(answer) ? .send(Self.wrongSignIn(number)) : .end
            }
            // Until all of them are at it.
            try await Task.sleep(for: .seconds(2))
            let sent: Sent
            do {
                sent = try await send(rig)
            } catch {
                strangers.end()
                throw error
            }
            strangers.end()
            _ = try await load
            return sent
        }
        return SignIns(cost: cost, strangers: Self.strangers, answers: strangers.answers)
    }

    /// Each from another network: none of them has used up its attempts.
    private static func wrongSignIn(_ stranger: Int) -> ByteBuffer {
        let network = (0..<3).map { _ in String(Int.random(in: 0...255)) }.joined(separator: ".")
        let body = #"{"email":"stranger\#(stranger)@example.org","password":"rope lantern 42 goose"}"#
        return ByteBuffer(
            string: """
                POST /v1/session HTTP/1.1\r
                Host: mail.example.com\r
                Origin: https://mail.example.com\r
                X-Forwarded-For: 10.\(network)\r
                X-Forwarded-Proto: https\r
                Content-Type: application/json\r
                Content-Length: \(body.utf8.count)\r
                \r
                \(body)
                """)
    }
}
