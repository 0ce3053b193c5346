import Foundation
import Logging
import MailSigning
import MailSink
import MailTypes
import NIOCore
import NIOPosix
import OperatorAPI
import SMTPProtocol
import SMTPTransport
import Synchronization

/// The upper bound of delivery on this machine: one fixed message, signed anew each time and sent over the same client
/// to the same sink, with no template, no journal and no database.
struct BareBenchmark {
    let scenario: Scenario
    let logger: Logger

    struct Result: BenchReport {
        let scenario: Scenario
        let machine: Machine
        let messageBytes: Int
        let seconds, messagesPerSecond: Double
        let steadyPerSecond: Double?
        /// Sender and sink; there is no database.
        let cpuSecondsPerThousand: CPUShares
        /// Of one transaction: from the signed message to the answer to its final dot.
        let latency: LatencyHistogram.Summary
        /// What signed, and how many signatures it made together.
        let signer: String
        let signing: SigningCounts
        let rates: RateCurve

        var title: String { "Without the engine: \(grouped(scenario.messages)) messages" }
        var curves: [RateCurve] { [rates] }

        var table: String {
            var table = TextTable()
            table.add("messages", grouped(scenario.messages))
            table.add(
                "message",
                "\(grouped(messageBytes)) bytes, \(scenario.key.text), \(scenario.tls ? "STARTTLS" : "plaintext"), "
                    + "\(scenario.connections) connections, not durable")
            table.add("rate", "\(grouped(Int(messagesPerSecond)))/s over \(String(format: "%.1f", seconds)) s")
            if let steadyPerSecond { table.add("rate, steady at the sink", "\(grouped(Int(steadyPerSecond)))/s") }
            table.add("a transaction, median / 99 % / longest", latency.text)
            table.add(
                "CPU for 1,000: sender, sink",
                String(format: "%.3f s, %.3f s", cpuSecondsPerThousand.server, cpuSecondsPerThousand.sink))
            if scenario.key != .none { table.add("signer", signer) }
            table.add(signing)
            table.add("machine", machine.text)
            return table.text
        }
    }

    func run() async throws -> Result {
        let machine = Machine()
        let log = NSTemporaryDirectory() + "/sluice-bare-\(UInt32.random(in: 0 ..< .max)).log"
        defer { try? FileManager.default.removeItem(atPath: log) }
        let sink = try SinkChild(
            scenario.sinkArguments + ["--log", log, "--log-recipients", "plain"])
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, System.coreCount / 2))
        let pool = SMTPConnectionPool(
            targets: [SMTPTarget(host: "127.0.0.1", address: try Self.loopback(), port: sink.port)],
            configuration: SMTPClientConfiguration(heloName: "mail.example.com"),
            limits: PoolLimits(
                maximumConnections: scenario.connections, maximumMessagesPerConnection: Int.max,
                idleTimeout: .seconds(60)),
            group: group, logger: logger)
        let measured: Swift.Result<Measured, any Error>
        do {
            let mail = try await Mail(scenario, logger: logger)
            try await send(scenario.warmUp, mail, pool, Mutex(LatencyHistogram()))
            measured = .success(try await measure(mail, pool, sink))
        } catch {
            measured = .failure(error)
        }
        await pool.shutdown()
        try? await group.shutdownGracefully()
        let totals = try sink.stop()
        let found = try measured.get()
        let arrivals = Arrivals(log: FileManager.default.contents(atPath: log) ?? Data()).since(found.startedAt)
        return Result(
            scenario: scenario, machine: machine.atEnd, messageBytes: totals.bytes / max(1, totals.messages),
            seconds: found.seconds, messagesPerSecond: Double(scenario.messages) / found.seconds,
            steadyPerSecond: arrivals.steadyRate, cpuSecondsPerThousand: CPUShares(found.usage, per: scenario.messages),
            latency: found.latency, signer: found.signing.signer, signing: found.signed,
            rates: arrivals.curve("without the engine", since: found.startedAt))
    }

    private struct Measured {
        let startedAt: Int64
        let seconds: Double
        let usage: Usage
        let latency: LatencyHistogram.Summary
        let signing: SigningStatus
        let signed: SigningCounts
    }

    private func measure(_ mail: Mail, _ pool: SMTPConnectionPool, _ sink: SinkChild) async throws -> Measured {
        let latencies = Mutex(LatencyHistogram())
        let signedBefore = mail.signing.status.counts
        let before = (ProcessUsage.cpuSeconds(), sink.cpuSeconds)
        let startedAt = SinkLog.milliseconds()
        let start = ContinuousClock.now
        try await send(scenario.messages, mail, pool, latencies)
        let seconds = (ContinuousClock.now - start).inSeconds
        return Measured(
            startedAt: startedAt, seconds: seconds,
            usage: Usage(
                server: ProcessUsage.cpuSeconds() - before.0, postgres: 0, sink: sink.cpuSeconds - before.1),
            latency: latencies.withLock { $0.summary }, signing: mail.signing.status,
            signed: mail.signing.status.counts - signedBefore)
    }

    private func send(
        _ count: Int, _ mail: Mail, _ pool: SMTPConnectionPool, _ latencies: borrowing Mutex<LatencyHistogram>
    ) async throws {
        let rest = Countdown(count)
        let all = try await withThrowingTaskGroup(of: LatencyHistogram.self) { group in
            for _ in 0..<min(count, scenario.connections) {
                group.addTask { try await Self.work(rest, mail, pool) }
            }
            return try await group.reduce(into: LatencyHistogram()) { $0.add($1) }
        }
        latencies.withLock { $0.add(all) }
    }

    /// Sends over one connection until there is nothing left.
    @concurrent private static func work(
        _ rest: Countdown, _ mail: Mail, _ pool: SMTPConnectionPool
    ) async throws -> LatencyHistogram {
        var latencies = LatencyHistogram()
        while let number = rest.next() {
            let problem: RigError?
            (latencies, problem) = try await pool.withConnection { [latencies] connection in
                await send(number, rest, mail, connection, latencies)
            }
            if let problem { throw problem }
        }
        return latencies
    }

    private static func send(
        _ first: Int, _ rest: Countdown, _ mail: Mail, _ connection: SMTPConnection, _ earlier: LatencyHistogram
    ) async -> (LatencyHistogram, RigError?) {
        var latencies = earlier
        do {
            // The next mail is signed before this one is sent, so that the server can be told of it behind this one's content.
            var next: Mail.Signed? = try await mail.signed(first)
            while let signed = next {
                if let number = rest.next() { next = try await mail.signed(number) } else { next = nil }
                let start = ContinuousClock.now
                let report = await connection.deliver(
                    signed.envelope, signed.message(before: { [envelope = next?.envelope] in envelope }))
                latencies.record(microseconds: Int64((ContinuousClock.now - start) / .microseconds(1)))
                guard report.verdict == .accepted else {
                    return (latencies, RigError(problem: "the sink refused: \(report.cause.rawValue)"))
                }
            }
        } catch {
            return (latencies, RigError(problem: "\(error)"))
        }
        return (latencies, nil)
    }

    private static func loopback() throws -> IPAddress {
        guard let address = IPAddress("127.0.0.1") else { throw RigError(problem: "no loopback address") }
        return address
    }

    /// One message, for recipients who differ.
    private struct Mail {
        let signer: DKIMSigner?
        let signing: SigningQueue
        let content: [UInt8]
        let bodyOffset: Int

        init(_ scenario: Scenario, logger: Logger) async throws {
            let settings = try BatchSignerSettings(Settings(isolated: scenario.signerSettings))
            signing = SigningQueue(try await settings.start(logger: logger))
            let keys = try scenario.key.algorithms.enumerated().map { number, algorithm in
                (selector: "s\(number + 1)", key: try DKIMKey.generate(algorithm))
            }
            signer = try keys.isEmpty ? nil : DKIMSigner(domain: DomainName("news.example.com"), keys: keys)
            let header = """
                Date: Sat, 01 Aug 2026 12:00:00 +0000\r
                From: City Library <news@news.example.com>\r
                To: Ada <reader@post.example.org>\r
                Subject: Ada, your points\r
                Message-ID: <1@news.example.com>\r
                MIME-Version: 1.0\r
                Content-Type: text/html; charset=utf-8\r
                \r

                """
            bodyOffset = header.utf8.count
            var text = header
            while text.utf8.count < scenario.size - 350 { text += Scenario.sentence + "\r\n" }
            content = Array(text.utf8)
        }

        struct Signed {
            let envelope: SMTPEnvelope
            let signature: [UInt8]
            let content: [UInt8]

            func message(before next: @escaping @Sendable () -> SMTPEnvelope?) -> OutgoingMessage {
                OutgoingMessage(header: signature, content: content, next: next)
            }
        }

        func signed(_ number: Int) async throws -> Signed {
            let now = Int64(Date().timeIntervalSince1970)
            let signature = try signer.map { try signing.begin(content, bodyOffset: bodyOffset, at: now, by: $0) }
            let fields = try await signature?.fields() ?? []
            let envelope = SMTPEnvelope(
                reversePath: "b-\(number)@bounce.news.example.com",
                recipient: try EmailAddress(DemoRecipients.address(number)), needsSMTPUTF8: false, is8Bit: false,
                size: fields.count + content.count)
            return Signed(envelope: envelope, signature: fields, content: content)
        }
    }

    /// Hands out numbers until they are used up.
    private final class Countdown: Sendable {
        private let rest: Atomic<Int>
        init(_ count: Int) { rest = Atomic(count) }

        func next() -> Int? {
            let number = rest.wrappingSubtract(1, ordering: .relaxed).newValue
            return number >= 0 ? number : nil
        }
    }
}
