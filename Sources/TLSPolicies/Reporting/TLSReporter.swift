import DNSResolution
import Foundation
package import Logging
import MailTypes
import Synchronization

/// Brings the counts of this node to the database, and sends the reports of past days that are due there.
///
/// One node sends a report, while its lease on it lasts. A report that cannot be delivered is tried again for a day
/// (RFC 8460 §5.5); one that nobody asks for any more is dropped.
package final class TLSReporter: Sendable {
    private struct Asked {
        var day: TLSResults.Day?
        var answers: [DomainName: Bool] = [:]
    }

    private let settings: TLSReportSettings
    private let results: TLSResults
    private let table: TLSReportTable
    private let world: World
    private let sender: TLSReportSender
    private let logger: Logger
    private let asked = Mutex(Asked())

    /// - Parameter results: what this node counts.
    package init(
        _ settings: TLSReportSettings, _ results: TLSResults, table: TLSReportTable, world: World, logger: Logger
    ) {
        self.settings = settings
        self.results = results
        self.table = table
        self.world = world
        self.logger = logger
        sender = TLSReportSender(sender: settings.sender, world: world, logger: logger)
    }

    /// Until cancelled.
    package func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.pause)
            guard !Task.isCancelled else { return }
            await flush()
            await sendDue()
        }
    }

    private static let pause: Duration = .seconds(15)
    private static let leaseSeconds: Int64 = 1_800
    private static let givesUpSeconds: Int64 = 86_400
    private static let keptDays = 4
    private static let lookupsAtOnce = 16
    private static let reportsAtOnce = 4

    private var today: TLSResults.Day { TLSResults.Day(world.now()) }

    // MARK: Counts

    /// Adds what was counted since the last time to the database, for domains that ask for reports.
    ///
    /// - Parameter looksUp: whether domains are asked first; a node that ends has no time for that, and they are asked
    ///   again before a report is sent.
    package func flush(looksUp: Bool = true) async {
        let counted = results.takeAll()
        let taken = looksUp ? await wanted(counted) : counted
        guard !taken.isEmpty else { return }
        do {
            try await table.add(taken.map { ($0, Int64($0.day.number + 1) * 86_400 + world.delay()) })
        } catch {
            results.putBack(taken)
            logger.warning("TLS results not kept", metadata: ["error": "\(error)"])
        }
    }

    private func wanted(_ domains: [TLSResults.Domain]) async -> [TLSResults.Domain] {
        await withTaskGroup(of: TLSResults.Domain?.self) { group in
            var wanted: [TLSResults.Domain] = []
            for (index, domain) in domains.enumerated() {
                if index >= Self.lookupsAtOnce, let done = await group.next(), let done { wanted.append(done) }
                group.addTask { await self.asks(domain.domain) ? domain : nil }
            }
            for await done in group { if let done { wanted.append(done) } }
            return wanted
        }
    }

    /// Whether a domain asks for reports; looked up once a day.
    private func asks(_ domain: DomainName) async -> Bool {
        let today = today
        let known = asked.withLock { asked in
            if asked.day != today { asked = Asked(day: today) }
            return asked.answers[domain]
        }
        if let known { return known }
        do throws(DNSFailure) {
            let asks = try await record(of: domain) != nil
            asked.withLock { $0.answers[domain] = asks }
            return asks
        } catch {
            // Unknown for now: kept, and looked up again before it is sent.
            if error.isPermanent { asked.withLock { $0.answers[domain] = false } }
            return !error.isPermanent
        }
    }

    private func record(of domain: DomainName) async throws(DNSFailure) -> TLSReportRecord? {
        TLSReportRecord(texts: try await world.texts("_smtp._tls.\(domain)"))
    }

    // MARK: Reports

    /// Sends what is due, a few at once.
    package func sendDue() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<Self.reportsAtOnce { group.addTask { await self.sendUntilNoneIsDue() } }
        }
        do {
            try await table.forget(before: TLSResults.Day(number: today.number - Self.keptDays))
        } catch {
            logger.warning("old TLS results not forgotten", metadata: ["error": "\(error)"])
        }
    }

    private func sendUntilNoneIsDue() async {
        do {
            while !Task.isCancelled,
                let report = try await table.claim(at: world.seconds, leaseSeconds: Self.leaseSeconds)
            {
                try await send(report)
            }
        } catch {
            logger.warning("TLS reports not sent", metadata: ["error": "\(error)"])
        }
    }

    private func send(_ stored: StoredTLSReport) async throws {
        var sentTo = stored.sentTo
        let isDone = await send(stored, &sentTo)
        let waited = world.seconds - stored.firstTriedAt
        let nextAt = world.seconds + min(max(900, waited), 14_400)
        let givesUp = nextAt - stored.firstTriedAt >= Self.givesUpSeconds
        if givesUp && !isDone { logger.notice("TLS report given up", metadata: ["domain": "\(stored.domain)"]) }
        try await table.conclude(stored, sentTo: sentTo, nextAt: isDone || givesUp ? nil : nextAt)
    }

    /// - Returns: whether nothing is left to be done.
    private func send(_ stored: StoredTLSReport, _ sentTo: inout Set<String>) async -> Bool {
        let record: TLSReportRecord
        do throws(DNSFailure) {
            guard let found = try await self.record(of: stored.domain) else { return true }
            record = found
        } catch {
            return error.isPermanent
        }
        guard let results = try? TLSResults.Domain(domain: stored.domain, day: stored.day, decoding: stored.results)
        else {
            logger.error("TLS results cannot be read", metadata: ["domain": "\(stored.domain)"])
            return true
        }
        let report = TLSReport(results, submitter: settings.submitter, id: stored.reportID)
        var isDone = true
        for address in record.addresses where !sentTo.contains(address.text) {
            let attempt = await sender.send(report, to: address)
            logger.info(
                "TLS report", metadata: ["domain": "\(stored.domain)", "by": "\(address.kind)", "result": "\(attempt)"])
            switch attempt {
            case .sent, .refused: sentTo.insert(address.text)
            case .failed: isDone = false
            }
        }
        return isDone
    }
}

extension TLSReportRecord.Address {
    fileprivate var kind: String {
        switch self {
        case .mail: "mail"
        case .https: "https"
        }
    }

    fileprivate var text: String {
        switch self {
        case .mail(let address): "mailto:\(address.text)"
        case .https(let url): url
        }
    }
}
