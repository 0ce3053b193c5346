import Foundation
import Logging
import MailSigning
import SMTPTransport

/// How long a message waits that comes alone: from the call that sends it to the first octet of its content on the wire.
///
/// Two servers side by side, one whose signatures libcrypto makes one by one and one with another signer, take turns, so that
/// whatever else the machine does meets both.
struct LoneBenchmark {
    /// Its signer is the second server's; each server sends so many messages.
    let scenario: Scenario
    let logger: Logger

    struct Result: BenchReport {
        let scenario: Scenario
        let machine: Machine
        let libcrypto: Wait
        let batch: Wait
        /// Of the medians.
        let ratio: Double
        /// The other signer's median is at most that of libcrypto and a twentieth of it, by which two runs of the same differ.
        let isNoWorse: Bool

        var title: String { "Alone: \(grouped(scenario.messages)) messages of each signer" }
        var curves: [RateCurve] { [] }

        var table: String {
            var table = TextTable(
                header: ["send to first octet", "median", "99 %", "longest"], rightAligned: [1, 2, 3])
            for wait in [libcrypto, batch] {
                let latency = wait.latency
                table.add(
                    wait.signer, LatencyHistogram.Summary.text(latency.p50Milliseconds),
                    LatencyHistogram.Summary.text(latency.p99Milliseconds),
                    LatencyHistogram.Summary.text(latency.maximumMilliseconds))
            }
            return """
                \(table.text)

                the second median: \(String(format: "%.2f", ratio)) of the first, \(isNoWorse ? "no worse" : "WORSE")
                \(grouped(scenario.messages)) messages each, in turns, \(scenario.text)
                \(machine.text)
                """
        }

        enum CodingKeys: CodingKey {
            case scenario, machine, libcrypto, batch, ratio, isNoWorse
        }
    }

    struct Wait: Encodable {
        let signer: String
        let latency: LatencyHistogram.Summary
        /// Signatures that were made.
        let signing: SigningCounts
    }

    func run() async throws -> Result {
        let machine = Machine()
        var alone = scenario
        alone.signer = .libcrypto
        alone.signerLibrary = nil
        let first = try await Side.start(alone, logger: logger)
        do {
            let second = try await Side.start(scenario, logger: logger)
            do {
                return try await measure(first, second, machine)
            } catch {
                await second.stop()
                throw error
            }
        } catch {
            await first.stop()
            throw error
        }
    }

    private func measure(_ first: Side, _ second: Side, _ machine: Machine) async throws -> Result {
        for _ in 0..<max(1, scenario.warmUp / 100) {
            for side in [first, second] { _ = try await side.send() }
        }
        var latencies = [LatencyHistogram(), LatencyHistogram()]
        let before = try [first, second].map { try $0.rig.signing.counts }
        for _ in 0..<scenario.messages {
            for (index, side) in [first, second].enumerated() {
                latencies[index].record(microseconds: try await side.send())
            }
        }
        var waits: [Wait] = []
        for (index, side) in [first, second].enumerated() {
            let signing = try side.rig.signing
            waits.append(
                Wait(
                    signer: signing.signer, latency: latencies[index].summary,
                    signing: signing.counts - before[index]))
        }
        await first.stop()
        await second.stop()
        let ratio = waits[1].latency.p50Milliseconds / waits[0].latency.p50Milliseconds
        return Result(
            scenario: scenario, machine: machine.atEnd, libcrypto: waits[0], batch: waits[1], ratio: ratio,
            isNoWorse: ratio <= Self.noWorse)
    }

    private static let noWorse = 1.05

    private struct Side: Sendable {
        let rig: Rig
        let scenario: Scenario

        static func start(_ scenario: Scenario, logger: Logger) async throws -> Side {
            var options = Rig.Options(credits: Int64(scenario.messages + scenario.warmUp))
            options.algorithms = scenario.key.algorithms
            options.verifyShare = 0
            options.sink = scenario.sinkArguments
            options.settings = scenario.signerSettings
            options.settings[.connections] = String(scenario.connections)
            return Side(rig: try await Rig.start(options, logger: logger), scenario: scenario)
        }

        /// Sends a campaign of one message.
        ///
        /// - Returns: microseconds from the call that sends to the first octet of the content.
        func send() async throws -> Int64 {
            let path = try await rig.client.draft(scenario, 1, from: rig.domain).path
            let lines = try rig.trace()
            let start = ContinuousClock.now
            async let content = Self.firstContent(in: lines)
            _ = try await rig.client.post(path + "/send", as: APIClient.Campaign.self)
            guard let begun = await content else { throw RigError(problem: "the server ended") }
            _ = try await rig.client.waitForEnd(path, every: .milliseconds(10))
            return Int64((begun - start) / .microseconds(1))
        }

        /// When content begins to be written; nil where none is.
        private static func firstContent(in lines: SMTPTraceHub.Lines) async -> ContinuousClock.Instant? {
            for await line in lines where line.isContent { return .now }
            return nil
        }

        func stop() async { _ = try? await rig.stop() }
    }
}
