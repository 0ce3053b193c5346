import Foundation
import Identity
import MailTypes
import NIOCore
import OperatorAPI
import Postgres
import Synchronization

extension APIBenchmark {
    /// `GET /v1/credits` again and again: a key, its limit, and one row through row-level security.
    struct Reads: Encodable {
        let connections: Int
        /// Under a key with a limit too high to reach, and under one that has none.
        let limited, unlimited: Rate
        /// What the limiter asks the database for each read: fewer than one where reads come together.
        let questionsPerRead: Double
        /// Of one question, client and round trip included; the median of many, one after the other.
        let questionMilliseconds: Double
        /// The product of both: what the check of its limit costs a read of the database's time.
        var limitMillisecondsPerRead: Double { questionsPerRead * questionMilliseconds }
        /// PostgreSQL's CPU that a read takes more with a limit than without.
        var limitMicrosecondsOfPostgres: Double {
            limited.cpuMicrosecondsPerRead.postgres - unlimited.cpuMicrosecondsPerRead.postgres
        }

        struct Rate: Encodable {
            let perSecond: Double
            let latency: LatencyHistogram.Summary
            let cpuMicrosecondsPerRead: CPU
        }

        struct CPU: Encodable {
            let server, postgres, generator: Double
        }

        enum CodingKeys: String, CodingKey {
            case connections, limited, unlimited, questionsPerRead, questionMilliseconds
        }

        func add(to table: inout TextTable) {
            for (name, rate) in [("with a limit", limited), ("without one", unlimited)] {
                table.add(
                    "reads, \(name)", "\(grouped(Int(rate.perSecond)))/s over \(connections) connections")
                table.add("  median, 99 % and longest", rate.latency.text)
                let cpu = rate.cpuMicrosecondsPerRead
                table.add(
                    "  CPU of server, PostgreSQL, generator",
                    String(format: "%.0f, %.0f, %.0f µs a read", cpu.server, cpu.postgres, cpu.generator))
            }
            table.add(
                "check of a limit, database time",
                String(
                    format: "%.3f ms a read: %.3f questions of %.3f ms", limitMillisecondsPerRead, questionsPerRead,
                    questionMilliseconds))
            table.add(
                "  PostgreSQL's CPU for it", String(format: "%.1f µs a read", limitMicrosecondsOfPostgres))
        }
    }

    func reads(_ rig: Rig) async throws -> Reads {
        let most = IdentityLimits.requestsPerMinute.upperBound
        let key = try await rig.records.keys.create(
            account: rig.account, name: "limited", requestsPerMinute: most
        ).key
        let port = try rig.client.port
        _ = try await read(rig, port, key.exposed, seconds: 1)
        let before = try await Self.questions(rig)
        let limited = try await read(rig, port, key.exposed, seconds: seconds)
        let asked = try await Self.questions(rig) - before
        let unlimited = try await read(rig, port, rig.client.key, seconds: seconds)
        return Reads(
            connections: connections, limited: limited, unlimited: unlimited,
            questionsPerRead: Double(asked) / Double(limited.latency.count),
            questionMilliseconds: try await Self.questionMilliseconds(rig))
    }

    private func read(_ rig: Rig, _ port: Int, _ key: String, seconds: Int) async throws -> Reads.Rate {
        let request = ByteBuffer(string: Self.request("GET", "/v1/credits", key: key))
        let tally = Mutex((latencies: LatencyHistogram(), refused: [Int: Int]()))
        let usage = Usage(rig)
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        let generator = try await HTTPLoad.run(connections: connections, ports: [port]) { _, answer in
            guard let answer else { return .send(request) }
            tally.withLock { tally in
                if answer.status == 200 {
                    tally.latencies.record(microseconds: Int64((answer.takenAt - answer.sentAt) / .microseconds(1)))
                } else {
                    tally.refused[answer.status, default: 0] += 1
                }
            }
            return answer.takenAt < end ? .send(request) : .end
        }
        let elapsed = (ContinuousClock.now - start).inSeconds
        let spent = usage.since(rig)
        let (latencies, refused) = tally.withLock { ($0.latencies.summary, $0.refused) }
        guard refused.isEmpty else { throw RigError(problem: "reads were refused: \(refused)") }
        func microseconds(_ seconds: Double) -> Double { seconds * 1e6 / Double(latencies.count) }
        return Reads.Rate(
            perSecond: Double(latencies.count) / elapsed, latency: latencies,
            cpuMicrosecondsPerRead: Reads.CPU(
                server: microseconds(spent.server - generator), postgres: microseconds(spent.postgres),
                generator: microseconds(generator)))
    }

    /// What the limiter has asked so far, as PostgreSQL counts it. A session that has nothing to do tells that after ten
    /// seconds.
    private static func questions(_ rig: Rig) async throws -> Int64 {
        try await Task.sleep(for: .seconds(11))
        return try await rig.records.pool.query(
            "SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'request_windows'"
        ).only.decode(Int64.self)
    }

    private static func questionMilliseconds(_ rig: Rig) async throws -> Double {
        let made = try await rig.records.keys.create(account: rig.account, name: "alone")
        guard let key = try await rig.records.keys.authenticate(made.key.exposed) else {
            throw RigError(problem: "a new key is not known")
        }
        let limiter = RequestLimiter(
            pool: rig.records.customers.pool, perMinute: IdentityLimits.requestsPerMinute.upperBound)
        return try await ConnectionOwner.$current.withValue(.account(rig.account.rawValue)) {
            var times: [Double] = []
            for _ in 0..<2_000 {
                let start = ContinuousClock.now
                guard try await limiter.take(key)?.isGranted == true else {
                    throw RigError(problem: "a request within its limit was refused")
                }
                times.append((ContinuousClock.now - start) / .milliseconds(1))
            }
            return RecordsBenchmark.median(times)
        }
    }
}
