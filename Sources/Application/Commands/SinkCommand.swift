import ArgumentParser
import Foundation
import Logging
import MailSink
import NIOCore
import SMTPTransport
import UnixSignals

/// Takes mail until it is told to stop, then prints what it has seen.
struct SinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sink",
        abstract: "Run an SMTP server that takes all mail, for demos, tests and benchmarks.",
        discussion: """
            Prints `listening on HOST:PORT` first and, when SIGTERM or SIGINT ends it, its totals as JSON.

            Some local parts are magic: bounce+…@ is refused, defer+…@ put off once, deferalways+…@ always, slow+…@ \
            answered late, reject-data+…@ refused after the content, close+…@ gets the connection closed, and \
            drop-after-dot+…@ is taken, but at the first attempt without a reply.
            """)

    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "Port to listen on; 0 lets the system choose.")
    var port = 2525

    @Option(help: "What the sink calls itself.")
    var hostname = "sink.example.net"

    @Flag(help: "Offer STARTTLS, with a self-signed certificate unless one is named.")
    var starttls = false

    @Flag(help: "Offer REQUIRETLS after STARTTLS; needs --starttls or --certificate.")
    var requiretls = false

    @Option(help: "PEM file with the certificate chain for STARTTLS.")
    var certificate: String?

    @Option(help: "PEM file with the private key for STARTTLS.")
    var privateKey: String?

    @Option(help: "Share of recipients refused for good, 0…1.")
    var bounceShare = 0.0

    @Option(help: "Share of recipients put off, 0…1.")
    var deferShare = 0.0

    @Option(help: "How often a recipient that is put off has to come back.")
    var deferrals = 1

    @Option(help: "Of the refusals, the share that comes after the content, 0…1.")
    var contentShare = 0.2

    @Option(help: "Of the temporary refusals, the share that is a 421, which ends the connection, 0…1.")
    var busyShare = 0.1

    @Option(help: "Equal seeds give each recipient the same fate.")
    var seed: UInt64 = 0

    @Option(help: "Milliseconds that slow+…@ waits for its reply.")
    var slowMs = 3_000

    @Option(help: "JSON file of DKIM keys: an object of DNS names and TXT values.")
    var keys: String?

    @Flag(help: "Check the DKIM signatures of all messages; needs --keys.")
    var verify = false

    @Option(help: "Check the DKIM signatures of this share of the messages, 0…1; needs --keys.")
    var verifyShare: Double?

    @Option(help: "Threads that check signatures.")
    var verifyThreads = 1

    @Option(help: "Folder that gets each message as an .eml file, with its envelope as .json.")
    var capture: String?

    @Option(help: "File to append a line to for each decided recipient, before the reply goes out.")
    var log: String?

    @Option(help: "Recipients in the log: sha256 or plain.")
    var logRecipients = SmartSinkConfiguration.LoggedRecipient.sha256

    @Flag(help: "Collect log lines instead of writing each before its reply.")
    var logBuffered = false

    @Option(help: "The most octets of a message.")
    var maximumSize = 50 << 20

    @Option(help: "Threads that serve connections.")
    var eventLoops = 1

    @Option(help: "End after so many seconds.")
    var maxSeconds: Double?

    @Flag(help: "End when the process that started it has ended.")
    var withParent = false

    @Flag(help: "Print the totals as one line.")
    var json = false

    func validate() throws {
        for (name, share) in [
            ("bounce-share", bounceShare), ("defer-share", deferShare), ("content-share", contentShare),
            ("busy-share", busyShare), ("verify-share", verifyShare ?? 0),
        ] {
            guard (0...1).contains(share) else { throw ValidationError("--\(name) must be from 0 to 1.") }
        }
        guard bounceShare + deferShare <= 1 else {
            throw ValidationError("--bounce-share and --defer-share add up to more than 1.")
        }
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be from 0 to 65535.") }
        guard (certificate == nil) == (privateKey == nil) else {
            throw ValidationError("--certificate and --private-key go together.")
        }
        guard !requiretls || starttls || certificate != nil else {
            throw ValidationError("--requiretls needs --starttls or --certificate.")
        }
        guard keys != nil || !verify && (verifyShare ?? 0) == 0 else {
            throw ValidationError("Checking signatures needs --keys.")
        }
        guard slowMs >= 0, deferrals >= 0, maximumSize > 0, eventLoops > 0, verifyThreads > 0, maxSeconds ?? 0 >= 0
        else { throw ValidationError("Counts and times must not be negative.") }
    }

    func run() async throws {
        let parent = getppid()
        // Before the port is told: whoever reads it may send a signal at once.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let sink = SmartSink(try sinkConfiguration(), logger: Logger(label: "sluice.sink"))
        let boundPort = try await sink.start()
        Self.print("listening on \(host.contains(":") ? "[\(host)]" : host):\(boundPort)")
        await waitForEnd(signals, parent: parent)
        await sink.shutdown()
        let encoder = JSONEncoder()
        encoder.outputFormatting = json ? [.sortedKeys] : [.sortedKeys, .prettyPrinted]
        Self.print(String(decoding: try encoder.encode(sink.totals), as: UTF8.self))
    }

    private func sinkConfiguration() throws -> SmartSinkConfiguration {
        var configuration = SmartSinkConfiguration()
        configuration.host = host
        configuration.port = port
        configuration.hostname = hostname
        if let certificate, let privateKey {
            configuration.identity = try TLSIdentity(certificateFile: certificate, privateKeyFile: privateKey)
        } else if starttls {
            configuration.identity = try SelfSignedCertificate.make(hostname: hostname)
        }
        configuration.offersRequireTLS = requiretls
        configuration.policy.bounceShare = bounceShare
        configuration.policy.deferShare = deferShare
        configuration.policy.contentShare = contentShare
        configuration.policy.busyShare = busyShare
        configuration.policy.deferrals = deferrals
        configuration.seed = seed
        configuration.slowness = .milliseconds(slowMs)
        if let keys { configuration.keys = try Self.readKeys(keys) }
        configuration.verifyShare = verify ? 1 : verifyShare ?? 0
        configuration.verifyThreads = verifyThreads
        configuration.captureDirectory = capture
        configuration.log = log.map {
            SmartSinkConfiguration.Log(path: $0, recipient: logRecipients, isBuffered: logBuffered)
        }
        configuration.maximumMessageOctets = maximumSize
        configuration.eventLoops = eventLoops
        return configuration
    }

    private static func readKeys(_ path: String) throws -> [String: String] {
        guard let data = FileManager.default.contents(atPath: path),
            let keys = try? JSONDecoder().decode([String: String].self, from: data)
        else { throw ValidationError("\(path) is no JSON object of DNS names and TXT values.") }
        return keys
    }

    private func waitForEnd(_ signals: UnixSignalsSequence, parent: pid_t) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in signals { return }
            }
            if let maxSeconds {
                group.addTask { try? await Task.sleep(for: .seconds(maxSeconds)) }
            }
            if withParent {
                group.addTask {
                    while getppid() == parent, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(200)) }
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Past the buffer of `print`, so that a script sees the line at once.
    private static func print(_ line: String) {
        StandardOutput.print(line)
    }
}

extension SmartSinkConfiguration.LoggedRecipient: ExpressibleByArgument {}
