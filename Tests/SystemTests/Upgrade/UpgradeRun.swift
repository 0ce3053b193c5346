import Foundation
import Testing

/// An installation at work while somebody brings its databases to a newer schema: a node that sends a campaign to the sink,
/// an upload that stays open, and a customer who asks.
final class UpgradeRun {
    let directory: TemporaryDirectory
    let database: ExternalPostgres
    let sink: SinkProcess
    let installation: Installation
    /// Campaigns that were sent, with their recipients.
    private(set) var sent: [String: Set<String>] = [:]
    /// Of these, the ones that somebody has paused.
    var paused: [String] = []
    private let credits: Int

    /// - Parameters:
    ///   - program: the version that is there first.
    ///   - credits: enough for all that is sent.
    init(program: String = Programs.sluice, credits: Int) throws {
        directory = try TemporaryDirectory()
        database = try ExternalPostgres()
        sink = try SinkProcess(directory, ["--slow-ms", "100"])
        self.credits = credits
        installation = try Installation(
            directory: directory, route: "smtp://127.0.0.1:\(sink.port)", credits: credits,
            serve: ["--lease", "3", "--connections", "16"], databaseURL: database.url(), program: program)
    }

    /// Sends a campaign.
    ///
    /// - Parameters:
    ///   - name: of its recipients.
    ///   - slowly: their mail host takes its time.
    /// - Returns: its id.
    @discardableResult
    func send(_ name: String, _ recipients: Int, slowly: Bool = false, options: [String] = []) throws -> String {
        let addresses = (0..<recipients).map { "\(slowly ? "slow+" : "")\(name)\($0)@example.net" }
        let campaign = try installation.send(
            subject: "Hello", text: "This is your copy.\n",
            recipients: addresses.map { #"{"email":"\#($0)"}"# }.joined(separator: "\n"), options: options)
        sent[campaign] = Set(addresses)
        return campaign
    }

    /// A draft, and an upload to it that goes on.
    func beginUpload() throws -> SlowUpload {
        struct Created: Decodable {
            let id: String
        }
        let draft = CampaignDraft(
            from: "City Library <library@\(installation.domain)>", subject: "Slow", text: "Hello.\n")
        let created = try JSONDecoder().decode(
            Created.self,
            from: installation.post("/v1/campaigns", "application/json", JSONEncoder().encode(draft)))
        return try SlowUpload(to: created.id, of: installation)
    }

    /// Ends an upload, and sends what it has brought.
    func send(_ upload: SlowUpload) async throws {
        let answer = try await upload.finish()
        try #require(answer.status == 200, "\(answer.text)")
        _ = try installation.post("/v1/campaigns/\(upload.campaign)/send", "application/json", Data("{}".utf8))
        sent[upload.campaign] = Set((0..<upload.written).map(SlowUpload.address))
    }

    /// How many recipients have their mail.
    var taken: Int { get throws { try sink.copies().count } }

    /// Waits until something is so.
    func wait(_ what: String, seconds: Int = 60, _ isSo: () throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while try !isSo() {
            guard ContinuousClock.now < end else {
                let log = (try? String(contentsOfFile: directory.path + "/serve.log", encoding: .utf8)) ?? ""
                throw ProgramFailure(
                    program: what, arguments: [],
                    finished: .init(status: -1, output: String(log.suffix(3_000)), errors: "waited in vain\n"))
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Waits for the end of all campaigns: each recipient has got one mail, and the books add up.
    func checkEnd(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let here = sourceLocation
        for (campaign, recipients) in sent {
            let status = try await installation.wait(for: campaign, seconds: 180)
            #expect(
                status.state == "completed" && status["delivered"] == recipients.count, "\(status)",
                sourceLocation: here)
            #expect(status.credits.charged == recipients.count && status.credits.held == 0, sourceLocation: here)
        }
        let recipients = sent.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        let copies = try sink.copies()
        #expect(
            Set(copies.keys) == recipients, "nobody is lost, and nobody is named who should not be",
            sourceLocation: here)
        #expect(copies.values.allSatisfy { $0 == 1 }, "nobody has two", sourceLocation: here)
        try FaultChecker(sinkLog: sink.logPath, console: database.console, credits: credits, recipients: recipients)
            .checkBooks(sourceLocation: here)
        #expect(
            try database.console.numbers("SELECT posted, held FROM accounts WHERE account_id = \(installation.account)")
                == [credits - recipients.count, 0], sourceLocation: here)
    }

    func stop() {
        if installation.server.isRunning { _ = installation.server.terminate() }
        _ = try? sink.stop()
        database.stop()
    }
}
