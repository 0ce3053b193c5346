import Foundation
import NIOCore
import Synchronization

/// A folder of the messages taken, one file each, with the envelope beside it.
final class SinkCapture: Sendable {
    struct Envelope: Codable, Hashable {
        /// Empty: the null reverse path.
        let sender: String
        let recipients: [String]
        let octets: Int
        let tls: Bool
        /// Whether MAIL asked for REQUIRETLS.
        let requiretls: Bool
        /// Whether the final dot got no reply.
        let dropped: Bool
        /// Milliseconds since 1970.
        let received_at: Int64
    }

    private let directory: URL
    private let lastNumber: Atomic<Int>

    /// Makes the folder where it is missing, and counts on from the files it holds.
    init(directory path: String) throws(SmartSinkError) {
        directory = URL(fileURLWithPath: path, isDirectory: true)
        do {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            let names = try FileManager.default.contentsOfDirectory(atPath: path)
            lastNumber = Atomic(names.compactMap { Int($0.prefix { $0 != "." }) }.max() ?? 0)
        } catch {
            throw SmartSinkError(code: .captureNotWritable, path: path)
        }
    }

    /// Writes both files. Blocks.
    func write(_ message: ByteBuffer, _ envelope: Envelope) throws {
        let number = String(lastNumber.add(1, ordering: .relaxed).newValue)
        let name = String(repeating: "0", count: max(0, 8 - number.count)) + number
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let sidecar = try encoder.encode(envelope) + Data("\n".utf8)
        try Data(message.readableBytesView).write(
            to: directory.appendingPathComponent(name + ".eml"), options: .withoutOverwriting)
        try sidecar.write(to: directory.appendingPathComponent(name + ".json"), options: .withoutOverwriting)
    }
}
