import Foundation
import Logging
import TestSupport

@testable import MailSink

extension SMTPDialog {
    /// A session that has been greeted.
    static func greeted(port: Int) -> SMTPDialog? {
        guard let dialog = SMTPDialog(port: port), dialog.code() == 220, dialog.ask("EHLO test.example") == 250 else {
            return nil
        }
        return dialog
    }
}

/// Runs `body` beside a sink and gives its totals.
func withSink(
    _ adjust: (inout SmartSinkConfiguration) -> Void = { _ in },
    _ body: @Sendable (Int, SmartSink) async throws -> Void
) async throws -> SinkTotals {
    var configuration = SmartSinkConfiguration()
    adjust(&configuration)
    let sink = SmartSink(configuration, logger: Logger(label: "sink"))
    let port = try await sink.start()
    do {
        try await body(port, sink)
    } catch {
        await sink.shutdown()
        throw error
    }
    await sink.shutdown()
    return sink.totals
}

/// A folder that is gone afterwards.
func withTemporaryFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-sink-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder.path)
}
