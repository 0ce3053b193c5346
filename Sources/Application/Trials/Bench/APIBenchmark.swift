import Foundation
import Logging

/// What the API takes and costs: small reads and the check of their limit, nodes that agree on a limit and on revocations,
/// row-level security, and strangers who try passwords while mail goes out.
struct APIBenchmark {
    /// What is measured, each by itself.
    enum Part: String, CaseIterable, Encodable {
        case reads, fleet, isolation
        case signIns = "sign-ins"
    }

    let parts: [Part]
    /// Of each run of reads.
    let seconds: Int
    /// Keep-alive connections that read.
    let connections: Int
    /// Keys that are revoked.
    let tries: Int
    /// What the campaigns send.
    let scenario: Scenario
    /// Pairs of campaigns, with and without what is measured.
    let pairs: Int
    let logger: Logger

    static let nodes = 3
    static let (calls, limit, limitRounds) = (200, 60, 5)
    static let strangers = 40

    struct Result: BenchReport {
        let machine: Machine
        let reads: Reads?
        let fleet: Fleet?
        let isolation: Cost?
        let signIns: SignIns?

        var title: String { "API" }
        var curves: [RateCurve] { [] }

        var table: String {
            var table = TextTable()
            if let reads { reads.add(to: &table) }
            if let fleet { fleet.add(to: &table) }
            if let isolation {
                isolation.add(to: &table, without: "mails, without row-level security", with: "with it")
            }
            if let signIns { signIns.add(to: &table) }
            table.add("machine", machine.text)
            return table.text
        }
    }

    func run() async throws -> Result {
        let machine = Machine()
        let reads = parts.contains(.reads) ? try await onRig { try await self.reads($0) } : nil
        let fleet = parts.contains(.fleet) ? try await fleet() : nil
        let isolation = parts.contains(.isolation) ? try await onRig { try await self.isolation($0) } : nil
        // Each stranger comes through a proxy, from a network of its own: from one network there are 50 attempts and no more.
        let signIns =
            parts.contains(.signIns)
            ? try await onRig([.trustedProxies: "127.0.0.1"]) { try await self.signIns($0) } : nil
        return Result(
            machine: machine.atEnd, reads: reads, fleet: fleet, isolation: isolation, signIns: signIns)
    }

    private func onRig<Value: Sendable>(
        _ settings: [Setting: String] = [:], _ work: (Rig) async throws -> Value
    ) async throws -> Value {
        var options = Rig.Options(credits: Int64((scenario.messages + scenario.warmUp) * (2 * pairs + 1)))
        options.algorithms = scenario.key.algorithms
        options.verifyShare = 0
        options.settings = scenario.signerSettings.merging(settings) { $1 }
        options.settings[.connections] = String(scenario.connections)
        let rig = try await Rig.start(options, logger: logger)
        do {
            let value = try await work(rig)
            try await rig.stop()
            return value
        } catch {
            _ = try? await rig.stop()
            throw error
        }
    }

    static func request(_ method: String, _ path: String, key: String) -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(key)\r\n\r\n"
    }
}

extension APIClient {
    /// Of the server on this machine.
    var port: Int {
        get throws {
            guard let port = base.split(separator: ":").last.flatMap({ Int($0) }) else {
                throw RigError(problem: "\(base) names no port")
            }
            return port
        }
    }
}
