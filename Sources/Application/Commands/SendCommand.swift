import ArgumentParser
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// A campaign from the terminal, over the HTTP API.
struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Send a campaign through a running server.",
        discussion: "The API key comes from SLUICE_KEY or --key-file.")

    @Option(help: "Sender, as `Name <address>`.") var from: String
    @Option(help: "Subject template.") var subject: String
    @Option(help: "HTML template file.") var html: String?
    @Option(help: "Plain text template file.") var text: String?
    @Option(help: "Recipients: NDJSON, or CSV with a header row when the name ends in .csv.") var recipients: String
    @Flag(
        name: .customLong("require-tls"),
        help: "Send only where verified TLS is promised for the whole way (REQUIRETLS); other mails bounce, uncharged.")
    var requireTLS = false
    @Option(help: "RFC 3339 time to send at.") var at: String?
    @Option(help: "Server address. [SLUICE_URL]") var url: String?
    @Option(help: "File that holds the API key.") var keyFile: String?
    @Flag(help: "Show what it would cost, send nothing.") var quote = false
    @Flag(help: "Do not wait for the end.") var detach = false
    @Flag(help: "Print the final state as JSON.") var json = false

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let key =
            try keyFile.map { try Self.read($0).trimmingCharacters(in: .whitespacesAndNewlines) }
            ?? environment["SLUICE_KEY"]
        guard let key, !key.isEmpty else { throw CommandFailure("set SLUICE_KEY or --key-file to an API key") }
        guard html != nil || text != nil else { throw CommandFailure("a mail needs --html or --text") }
        let client = APIClient(base: url ?? environment["SLUICE_URL"] ?? "http://127.0.0.1:8025", key: key)

        let campaign = try await client.post("/v1/campaigns", json: try requestJSON(), as: APIClient.Campaign.self)
        let path = "/v1/campaigns/\(campaign.id)"
        let report = try await upload(to: path, client)
        for error in report.errors.prefix(20) { note("line \(error.line): \(error.reason)") }
        note(
            "\(campaign.id): \(grouped(report.accepted)) recipients, \(grouped(report.duplicates)) duplicates, "
                + "\(grouped(report.invalid)) invalid lines, \(grouped(report.suppressed)) suppressed")
        let cost = try await client.get(path + "/quote", as: APIClient.Quote.self)
        note("costs \(grouped(cost.credits)) of \(grouped(cost.available)) credits")
        if quote { return print(campaign.id) }
        let body = at.map { #"{"scheduled_at":"\#($0)"}"# } ?? ""
        _ = try await client.post(path + "/send", json: body, as: APIClient.Campaign.self)
        if detach || at != nil { return print(campaign.id) }
        try await watch(path, client)
    }

    private func requestJSON() throws -> String {
        let draft = Draft(
            from: from, subject: subject, html: try html.map(Self.read), text: try text.map(Self.read),
            require_tls: requireTLS ? true : nil)
        return String(decoding: try JSONEncoder().encode(draft), as: UTF8.self)
    }

    private struct Draft: Encodable {
        let from, subject: String
        let html, text: String?
        let require_tls: Bool?
    }

    private static func read(_ path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure("\(path) cannot be read")
        }
        guard let text = String(data: data, encoding: .utf8) else { throw CommandFailure("\(path) is not UTF-8") }
        return text
    }

    private func upload(to path: String, _ client: APIClient) async throws -> APIClient.ImportReport {
        guard let file = FileHandle(forReadingAtPath: recipients) else {
            throw CommandFailure("\(recipients) cannot be read")
        }
        return try await client.upload(
            path + "/recipients", chunks: FileChunks(file: file),
            contentType: recipients.lowercased().hasSuffix(".csv") ? "text/csv" : "application/x-ndjson")
    }

    private func watch(_ path: String, _ client: APIClient) async throws {
        let bar = ProgressBar("Sending")
        var campaign = try await client.get(path, as: APIClient.Campaign.self)
        while !campaign.isOver {
            let counters = campaign.counters
            bar.update(
                counters.final, of: counters.recipients,
                note: "\(grouped(counters.delivered)) delivered, \(grouped(counters.bounced)) bounced")
            try await Task.sleep(for: .milliseconds(250))
            campaign = try await client.get(path)
        }
        bar.finish(campaign.counters.final, of: campaign.counters.recipients)
        let answer = try await client.text(.GET, path)
        if json { return print(answer) }
        let counters = campaign.counters
        var table = TextTable(rightAligned: [1])
        for (name, count) in [
            ("delivered", counters.delivered), ("bounced", counters.bounced), ("expired", counters.expired),
            ("suppressed", counters.suppressed), ("invalid", counters.invalid), ("cancelled", counters.cancelled),
            ("in doubt", counters.inDoubt), ("credits charged", Int(campaign.credits.charged)),
        ] where count > 0 {
            table.add(name, grouped(count))
        }
        print(table.text)
    }

    private func note(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}

/// A file in pieces that fit memory.
struct FileChunks: AsyncSequence, Sendable {
    let file: FileHandle

    struct Iterator: AsyncIteratorProtocol {
        let file: FileHandle
        mutating func next() async throws -> ByteBuffer? {
            guard let data = try file.read(upToCount: 256 * 1024), !data.isEmpty else { return nil }
            return ByteBuffer(bytes: data)
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(file: file) }
}
