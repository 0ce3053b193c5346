import ArgumentParser
import Campaigns
import Foundation
import MailMessage
import NIOCore
import NIOHTTP1

/// A campaign from the terminal, over the HTTP API.
struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Send a campaign through a running server.",
        discussion: """
            The API key comes from SLUICE_KEY or --key-file. Files, addresses, times and variables are checked before \
            anything is made on the server; where the command fails before the campaign is sent, its draft is deleted again.

            Exit status: 0 all delivered, or done as asked with --quote, --detach or --at; 2 refused, by the server or for \
            its files; 3 no answer from the server; 4 delivered in part; 5 nothing delivered; 6 cancelled; 64 wrong usage.
            """)

    @Option(help: "Sender, as `Name <address>`.") var from: String
    @Option(help: "Subject template.") var subject: String
    @Option(help: "HTML template file.") var html: String?
    @Option(help: "Plain text template file.") var text: String?
    @Option(help: "Recipients: a file of NDJSON, or of CSV with a header row; its first character tells which.")
    var recipients: String
    @Option(help: "Charset of the recipients file, such as windows-1252. UTF-8 and UTF-16 are told by themselves.")
    var charset: String?
    @Flag(help: "Send to the other recipients where lines of the file cannot be taken.") var skipInvalid = false
    @Option(
        help: "Where recipients lack a value for a tag: refuse to send, skip them, or leave its place empty. [refuse]")
    var missingVariables: String?
    @Option(help: "https: or mailto: URI of your own in List-Unsubscribe, a template; may be given several times.")
    var listUnsubscribe: [String] = []
    @Option(
        help: "Who hears recipients that unsubscribe: server, or own for the URIs of --list-unsubscribe alone. [server]"
    )
    var unsubscribe: String?
    @Flag(
        name: .customLong("require-tls"),
        help:
            "Send only where verified TLS is promised for the whole way (REQUIRETLS); other messages bounce, uncharged."
    )
    var requireTLS = false
    @Option(help: "Pool of source addresses that the mails leave from, if it is open to the account.")
    var sourcePool: String?
    @Option(help: "RFC 3339 time to send at, such as 2027-01-31T08:00:00Z.") var at: String?
    @Option(help: "Server address. [SLUICE_URL]") var url: String?
    @Option(help: "File that holds the API key.") var keyFile: String?
    @Flag(help: "Show what it would cost and leave a draft, send nothing.") var quote = false
    @Flag(help: "Do not wait for the end.") var detach = false
    @Flag(help: "Print the final state as JSON.") var json = false

    func validate() throws {
        guard html != nil || text != nil else { throw ValidationError("A mail needs --html or --text.") }
        if let at { try Self.checkTime(at, now: Date()) }
        guard missingVariables.map({ ["refuse", "skip", "empty"].contains($0) }) ?? true else {
            throw ValidationError("--missing-variables is refuse, skip or empty.")
        }
        guard unsubscribe.map({ UnsubscribePolicy(rawValue: $0) != nil }) ?? true else {
            throw ValidationError("--unsubscribe is server or own.")
        }
    }

    func run() async throws {
        do {
            try await send()
        } catch let error as APIFailure {
            for line in error.lines.prefix(20) { StandardOutput.note("line \(line.line): \(line.reason)") }
            StandardOutput.note("Error: \(error)")
            throw ExitCode(error.isUnreachable ? SendStatus.unreachable.rawValue : SendStatus.refused.rawValue)
        } catch let error as CommandFailure {
            StandardOutput.note("Error: \(error)")
            throw ExitCode(SendStatus.refused.rawValue)
        }
    }

    /// - Throws: `ValidationError` for what is no time, or one that has passed more than a minute ago.
    static func checkTime(_ text: String, now: Date) throws {
        let whole = ISO8601DateFormatter()
        let fractional = ISO8601DateFormatter()
        fractional.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        guard let date = whole.date(from: text) ?? fractional.date(from: text) else {
            throw ValidationError("--at \(text) is not an RFC 3339 time such as 2027-01-31T08:00:00Z.")
        }
        guard date > now.addingTimeInterval(-60) else { throw ValidationError("--at \(text) has passed.") }
    }

    // MARK: Steps

    private func send() async throws {
        let client = try APIClient(
            address: url ?? ProcessInfo.processInfo.environment["SLUICE_URL"] ?? "http://127.0.0.1:8025", key: try key()
        )
        let content = try content()
        let message = try Self.compiled(content)
        let list = try RecipientFile(recipients, charset: charset)
        try await client.requireServer()
        if let file = try list.again() { try check(ListCheck(file, list.form, for: message)) }
        let draft = try requestJSON(content)
        let campaign = try await client.post("/v1/campaigns", json: draft, as: APIClient.Campaign.self)
        let path = "/v1/campaigns/\(campaign.id)"
        do {
            try await fill(path, campaign.id, list, client)
            if quote { return StandardOutput.print(campaign.id) }
            try await start(path, client)
        } catch let error as APIFailure where error.isUnreachable {
            StandardOutput.note("the draft \(campaign.id) may be left on the server")
            throw error
        } catch {
            _ = try? await client.text(.DELETE, path)
            throw error
        }
        if detach || at != nil { return StandardOutput.print(campaign.id) }
        try await watch(path, campaign.id, client)
    }

    private func key() throws -> String {
        let key =
            try keyFile.map { try Self.read($0).trimmingCharacters(in: .whitespacesAndNewlines) }
            ?? ProcessInfo.processInfo.environment["SLUICE_KEY"]
        guard let key, !key.isEmpty else { throw CommandFailure("set SLUICE_KEY or --key-file to an API key") }
        guard key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw CommandFailure("the API key holds a character that no key has")
        }
        return key
    }

    private func fill(_ path: String, _ id: String, _ list: RecipientFile, _ client: APIClient) async throws {
        let report = try await client.upload(
            path + "/recipients?on_invalid=\(skipInvalid ? "skip" : "reject")", chunks: list,
            contentType: list.contentType)
        for error in report.errors.prefix(20) { StandardOutput.note("line \(error.line): \(error.reason)") }
        StandardOutput.note(
            "\(id): \(grouped(report.accepted)) recipients, \(grouped(report.duplicates)) duplicates, "
                + "\(grouped(report.invalid)) invalid lines, \(grouped(report.suppressed)) suppressed")
        guard report.accepted > 0 else { throw CommandFailure("\(recipients) holds no recipient") }
        let cost = try await client.get(path + "/quote", as: APIClient.Quote.self)
        StandardOutput.note("costs \(grouped(cost.credits)) of \(grouped(cost.available)) credits")
        for warning in cost.warnings { StandardOutput.note("warning: \(warning.detail)") }
    }

    private func start(_ path: String, _ client: APIClient) async throws {
        struct Start: Encodable {
            let scheduled_at: String
        }
        let body = try at.map { String(decoding: try JSONEncoder().encode(Start(scheduled_at: $0)), as: UTF8.self) }
        _ = try await client.post(path + "/send", json: body ?? "", as: APIClient.Campaign.self)
    }

    private func content() throws -> MessageContent {
        let (html, text) = (try html.map(Self.read), try text.map(Self.read))
        do throws(MessageError) {
            return MessageContent(
                from: try Mailbox.parse(from), subject: subject, html: html, text: text,
                listUnsubscribe: listUnsubscribe,
                unsubscribing: unsubscribe.flatMap(UnsubscribePolicy.init(rawValue:)) ?? .server)
        } catch {
            throw CommandFailure("--from: \(error.detail)")
        }
    }

    /// - Throws: `CommandFailure` for what the server would refuse.
    private static func compiled(_ content: MessageContent) throws -> CompiledMessage {
        do throws(MessageError) {
            return try CompiledMessage(content)
        } catch {
            throw CommandFailure("\(error.code.rawValue): \(error.detail)")
        }
    }

    /// - Throws: `CommandFailure` where the server would take no line, refuse some, or not send.
    private func check(_ check: ListCheck) throws {
        for error in check.errors { StandardOutput.note("line \(error.line): \(error.reason)") }
        guard check.invalid == 0 || skipInvalid else {
            throw CommandFailure(
                "\(recipients): \(grouped(check.invalid)) lines cannot be taken; mend them, or send to the others with "
                    + "--skip-invalid")
        }
        guard check.recipients > 0 else { throw CommandFailure("\(recipients) holds no recipient") }
        guard let lack = check.lack else { return }
        guard missingVariables == "skip" || missingVariables == "empty" else {
            throw CommandFailure(
                "\(lack); give such a tag a fallback, as in {{name|friend}}, or choose --missing-variables skip or empty"
            )
        }
        StandardOutput.note(lack)
    }

    private func requestJSON(_ content: MessageContent) throws -> String {
        struct Draft: Encodable {
            let from, subject: String
            let html, text: String?
            let list_unsubscribe: [String]?
            let unsubscribe, missing_variables: String?
            let require_tls: Bool?
            let source_pool: String?
        }
        let draft = Draft(
            from: from, subject: subject, html: content.html, text: content.text,
            list_unsubscribe: listUnsubscribe.isEmpty ? nil : listUnsubscribe, unsubscribe: unsubscribe,
            missing_variables: missingVariables,
            require_tls: requireTLS ? true : nil, source_pool: sourcePool)
        return String(decoding: try JSONEncoder().encode(draft), as: UTF8.self)
    }

    private static func read(_ path: String) throws -> String {
        let file = try InputFile(path)
        var data = Data()
        while let piece = try file.read() { data += piece }
        guard let text = String(data: data, encoding: .utf8) else { throw CommandFailure("\(path) is not UTF-8") }
        return text
    }

    // MARK: Watching

    private func watch(_ path: String, _ id: String, _ client: APIClient) async throws {
        let bar = ProgressBar("Sending")
        var campaign = try await state(path, id, client)
        var told: String?
        let start = ContinuousClock.now
        while !campaign.isOver {
            if let reason = campaign.pauseReason, reason != told { StandardOutput.note("paused: \(reason)") }
            told = campaign.pauseReason
            let counters = campaign.counters
            bar.update(
                counters.final, of: counters.recipients,
                note: "\(grouped(counters.delivered)) delivered, \(grouped(counters.bounced)) bounced")
            // Small campaigns end at once; for others a key has so many requests a minute.
            try await Task.sleep(for: .milliseconds(ContinuousClock.now - start < .seconds(3) ? 250 : 1_500))
            campaign = try await state(path, id, client)
        }
        bar.finish(campaign.counters.final, of: campaign.counters.recipients)
        if json {
            StandardOutput.print(try await client.text(.GET, path))
        } else {
            StandardOutput.print(Self.table(campaign))
        }
        let status = SendStatus(campaign)
        if status != .delivered { throw ExitCode(status.rawValue) }
    }

    /// A server that is started anew answers again soon; the campaign goes on all the while.
    private func state(_ path: String, _ id: String, _ client: APIClient) async throws -> APIClient.Campaign {
        for _ in 0..<30 {
            do {
                return try await client.get(path)
            } catch let error as APIFailure where error.isUnreachable || error.status == 503 {
                try await Task.sleep(for: .seconds(1))
            }
        }
        StandardOutput.note("the server does not answer any more; the campaign \(id) was taken and goes on there")
        return try await client.get(path)
    }

    private static func table(_ campaign: APIClient.Campaign) -> String {
        let counters = campaign.counters
        var table = TextTable(rightAligned: [1])
        for (name, count) in [
            ("delivered", counters.delivered), ("bounced", counters.bounced), ("expired", counters.expired),
            ("suppressed", counters.suppressed), ("invalid", counters.invalid), ("cancelled", counters.cancelled),
            ("in doubt", counters.inDoubt), ("credits charged", Int(campaign.credits.charged)),
        ] where count > 0 {
            table.add(name, grouped(count))
        }
        return table.text
    }
}

/// The exit status of `sluice send`. Part of the command line: scripts compare it, so never renumber.
enum SendStatus: Int32, Equatable {
    /// To all that are not suppressed.
    case delivered = 0
    /// By the server, or for what the files hold; nothing was sent.
    case refused = 2
    case unreachable = 3
    case partly = 4
    case undelivered = 5
    case cancelled = 6

    /// - Parameter campaign: one that is over
    init(_ campaign: APIClient.Campaign) {
        let counters = campaign.counters
        if campaign.state == "cancelled" {
            self = .cancelled
        } else if counters.delivered + counters.suppressed == counters.recipients {
            self = .delivered
        } else {
            self = counters.delivered > 0 ? .partly : .undelivered
        }
    }
}
