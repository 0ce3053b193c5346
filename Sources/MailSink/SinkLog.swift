import Crypto
import Foundation
import MailTypes
import Synchronization

/// An append-only file with one line for each recipient of each transaction that was decided, so that copies can be
/// counted by somebody else, even after the sink was killed.
///
/// Columns, parted by tabs: milliseconds since 1970; `accepted`, `dropped` (taken, but the final dot got no reply),
/// `permanent`, `temporary` or `closed`; reply code or 0; recipient or its SHA-256; Message-ID without its brackets, or
/// `-` where the message was not seen.
package final class SinkLog: Sendable {
    package enum Verdict: String {
        case accepted, dropped, permanent, temporary, closed
    }

    private struct State {
        var descriptor: CInt
        var pending: [UInt8] = []
    }

    private let state: Mutex<State>
    private let configuration: SmartSinkConfiguration.Log

    init(_ configuration: SmartSinkConfiguration.Log) throws(SmartSinkError) {
        let descriptor = open(configuration.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SmartSinkError(code: .logNotWritable, path: configuration.path) }
        self.configuration = configuration
        state = Mutex(State(descriptor: descriptor))
    }

    deinit {
        close()
    }

    /// - Returns: false if the lines could not be written, as on a full disk.
    func append(
        _ verdict: Verdict, code: Int, _ recipients: some Sequence<String>, messageID: [UInt8]?
    ) -> Bool {
        var lines: [UInt8] = []
        for recipient in recipients {
            lines += Array(String(Self.milliseconds()).utf8)
            lines.append(Self.tab)
            lines += Array(verdict.rawValue.utf8)
            lines.append(Self.tab)
            lines += Array(String(code).utf8)
            lines.append(Self.tab)
            lines += Array(text(of: recipient).utf8)
            lines.append(Self.tab)
            lines += messageID ?? [UInt8(ascii: "-")]
            lines.append(Self.lineFeed)
        }
        return state.withLock { state in
            guard configuration.isBuffered else { return Self.write(lines, to: state.descriptor) }
            state.pending += lines
            return state.pending.count < Self.bufferOctets || Self.flush(&state)
        }
    }

    func close() {
        state.withLock { state in
            guard state.descriptor >= 0 else { return }
            _ = Self.flush(&state)
            _ = Foundation.close(state.descriptor)
            state.descriptor = -1
        }
    }

    private func text(of recipient: String) -> String {
        switch configuration.recipient {
        case .plain: recipient
        case .sha256: SHA256.hash(data: Array(recipient.lowercased().utf8)).hexadecimal
        }
    }

    private static func flush(_ state: inout State) -> Bool {
        let written = write(state.pending, to: state.descriptor)
        state.pending.removeAll(keepingCapacity: true)
        return written
    }

    /// One call of write(2) as a rule, so that lines of several processes never mix.
    private static func write(_ bytes: [UInt8], to descriptor: CInt) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    package static func milliseconds() -> Int64 {
        Int64(Date().timeIntervalSince1970 * 1_000)
    }

    private static let tab = UInt8(ascii: "\t")
    private static let lineFeed = UInt8(ascii: "\n")
    private static let bufferOctets = 65_536
}
