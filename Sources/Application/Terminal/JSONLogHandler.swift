import Foundation
import Glibc
import HTTPAPI
import Logging

/// Writes each log line as a JSON object: `time` (RFC 3339, UTC, milliseconds), `level`, `logger`, `message`, then the
/// metadata by its own keys in the order of the alphabet. Messages are constant; what varies is metadata, always text.
struct JSONLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let output: @Sendable (String) -> Void

    /// - Parameter output: takes a line with its end, whole.
    init(label: String, output: @escaping @Sendable (String) -> Void) {
        self.label = label
        self.output = output
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadataProvider?.get() ?? [:]
        all.merge(metadata) { $1 }
        all.merge(event.metadata ?? [:]) { $1 }
        if let error = event.error { all["error"] = all["error"] ?? "\(error)" }
        var json = JSONText()
        json.beginObject()
        json.member("time", Self.time(Date()))
        json.member("level", event.level.rawValue)
        json.member("logger", label)
        json.member("message", event.message.description)
        // A key of ours that the metadata has as well would stand in the object twice.
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            json.member(Self.reserved.contains(key) ? "metadata_" + key : key, "\(value)")
        }
        json.endObject()
        output(json.text + "\n")
    }

    /// In one write, so that lines of several threads do not mix.
    static let standardError: @Sendable (String) -> Void = { line in
        var line = line
        line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static let reserved: Set = ["time", "level", "logger", "message"]

    private static func time(_ date: Date) -> String {
        date.formatted(
            .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted))
    }
}
