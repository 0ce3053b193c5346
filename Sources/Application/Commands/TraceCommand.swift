import ArgumentParser
import Foundation
import OperatorAPI

struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace", abstract: "Show what is said to a site, live, until Ctrl-C.",
        discussion: """
            Local parts of addresses are masked, credentials and contents are not shown. A site is a lane, a mail host or a
            provider; it need not have mail yet.
            """)

    @OptionGroup var server: OperatorOptions
    @Argument(help: "The site.") var site: String
    @Flag(help: "Print JSON lines.") var json = false

    func run() async throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try await server.client().trace(site) {
            StandardOutput.note("listening to \(site)")
        } _: { line in
            let text =
                json
                ? String(decoding: try encoder.encode(line), as: UTF8.self)
                : "\(Self.time()) #\(line.connection) \(line.host) \(line.direction) \(line.text)"
            StandardOutput.print(text)
        }
    }

    /// Of day, UTC.
    private static func time() -> String {
        let milliseconds = Int((Date().timeIntervalSince1970 * 1_000).rounded(.down)) % 86_400_000
        let seconds = milliseconds / 1_000
        return String(
            format: "%02d:%02d:%02d.%03d", seconds / 3_600, seconds / 60 % 60, seconds % 60, milliseconds % 1_000)
    }
}
