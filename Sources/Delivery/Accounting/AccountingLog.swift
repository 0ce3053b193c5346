import Dispatch
import Foundation
package import Logging
import Synchronization

/// A file with a line for each attempt, for operators who want to count and bill for themselves.
///
/// Mail never waits for it: what a node has not written yet is bounded, and what comes beyond that is dropped and counted.
/// Lines are written on a thread of the system's, in groups.
package final class AccountingLog: Sendable {
    package struct Settings: Sendable, Hashable {
        package var path: String
        /// Whether addresses and replies are written as they are.
        package var personalData: Bool
        package var rotation: AccountingLogRotation

        package init(path: String, personalData: Bool = false, rotation: AccountingLogRotation = .init()) {
            self.path = path
            self.personalData = personalData
            self.rotation = rotation
        }
    }

    private struct State {
        var waiting: [AttemptRecord] = []
        var isScheduled = false
    }

    private let settings: Settings
    /// Records that may wait to be written.
    private let queueLimit: Int
    private let metrics: DeliveryMetrics
    private let logger: Logger
    private let now: @Sendable () -> Double
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "accounting")
    /// Touched on the queue only.
    private let file = Mutex<LogFile?>(nil)
    private let isFailing = Atomic(false)

    /// - Parameters:
    ///   - metrics: told how many lines were written and dropped.
    ///   - now: the wall clock, in seconds since 1970.
    /// - Throws: where the file cannot be opened.
    package init(
        _ settings: Settings, queueLimit: Int = 50_000, metrics: DeliveryMetrics = DeliveryMetrics(),
        now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }, logger: Logger
    ) throws {
        self.settings = settings
        self.queueLimit = queueLimit
        self.metrics = metrics
        self.now = now
        self.logger = logger
        let opened = try LogFile(settings.path, at: now())
        file.withLock { $0 = opened }
    }

    /// Takes a record; returns at once.
    package func note(_ record: AttemptRecord) {
        let (isTaken, mustSchedule) = state.withLock { state in
            guard state.waiting.count < queueLimit else { return (false, false) }
            state.waiting.append(record)
            defer { state.isScheduled = true }
            return (true, !state.isScheduled)
        }
        if !isTaken { metrics.count(\.accountingDropped) }
        if mustSchedule { queue.async { self.write() } }
    }

    /// Opens the file anew, after somebody else has moved it away (SIGHUP).
    package func reopen() { queue.async { self.file.withLock { $0 = nil } } }

    /// Writes what waits; blocks.
    package func flush() { queue.sync { write() } }

    private func write() {
        let records = state.withLock { state in
            state.isScheduled = false
            defer { state.waiting = [] }
            return state.waiting
        }
        var written = 0
        do {
            for record in records {
                try write(record.line(personalData: settings.personalData))
                written += 1
            }
            if isFailing.exchange(false, ordering: .relaxed) { logger.notice("the accounting log is written again") }
        } catch {
            // Once, until it works again: there may be thousands a second.
            if !isFailing.exchange(true, ordering: .relaxed) {
                logger.error(
                    "the accounting log cannot be written: its lines are dropped",
                    metadata: ["file": "\(settings.path)", "error": "\(error)"])
            }
        }
        metrics.count(\.accountingWritten, by: written)
        metrics.count(\.accountingDropped, by: records.count - written)
    }

    private func write(_ line: [UInt8]) throws {
        try file.withLock { file in
            if let open = file, settings.rotation.isDue(size: open.size, age: now() - open.since) {
                file = nil
                for (from, to) in settings.rotation.moves(settings.path) { rename(from, to) }
            }
            var open = try file ?? LogFile(settings.path, at: now())
            try open.append(line)
            file = open
        }
    }
}

/// An open file with its size. Closed with its last copy.
private struct LogFile {
    private let handle: FileHandle
    private(set) var size: Int
    /// When its first line was written, as far as the file tells.
    let since: Double

    init(_ path: String, at now: Double) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        size = Int(try handle.seekToEnd())
        let made = try FileManager.default.attributesOfItem(atPath: path)[.creationDate] as? Date
        since = size == 0 ? now : made?.timeIntervalSince1970 ?? now
    }

    mutating func append(_ line: [UInt8]) throws {
        try handle.write(contentsOf: line)
        size += line.count
    }
}
