import Campaigns
import DNSResolution
import Foundation
import Logging
import MailSigning
package import MailTypes
import NIOCore
import SMTPProtocol
import SMTPTransport
import SendingDomains
import Synchronization
import TLSPolicies
import TrafficShaping

/// Whether and as whom reports on TLS are sent (RFC 8460).
package struct TLSReportSettings: Sendable, Hashable {
    /// At a sending domain of an account, whose key signs the reports.
    package var sender: EmailAddress
    /// Who reports, for people.
    package var organization: String

    package init(sender: EmailAddress, organization: String? = nil) {
        self.sender = sender
        self.organization = organization ?? sender.domain.text
    }
}

/// Brings the counts of this node to the database, and sends the reports of past days that are due there.
///
/// One node sends a report, while its lease on it lasts. A report that cannot be delivered is tried again for a day
/// (RFC 8460 §5.5); one that nobody asks for any more is dropped.
final class TLSReporter: Sendable {
    /// What the reporter needs of the world.
    struct World: Sendable {
        /// TXT records of a name.
        var texts: @Sendable (_ name: String) async throws(DNSFailure) -> [String]
        /// Where mail to a domain goes.
        var targets: @Sendable (_ domain: DomainName) async throws(RoutingFailure) -> [SMTPTarget]
        /// For the sender's domain; nil if no account sends from it.
        var signer: @Sendable (_ domain: DomainName) async throws -> DKIMSigner?
        var client: SMTPClientConfiguration
        var upload: TLSReportUpload
        var group: any EventLoopGroup
        var now: @Sendable () -> Date
        /// Seconds between a day's end and its report: long enough for the last counts to come in, and spread so that
        /// receivers are not asked all at once (§4.1).
        var delay: @Sendable () -> Int64
    }

    private struct Asked {
        var day = 0
        var answers: [DomainName: Bool] = [:]
    }

    private let settings: TLSReportSettings
    private let results: TLSResults
    private let store: DeliveryStore
    private let world: World
    private let logger: Logger
    private let asked = Mutex(Asked())

    init(_ settings: TLSReportSettings, _ results: TLSResults, store: DeliveryStore, world: World, logger: Logger) {
        self.settings = settings
        self.results = results
        self.store = store
        self.world = world
        self.logger = logger
    }

    func run() async {
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

    private var seconds: Int64 { Int64(world.now().timeIntervalSince1970.rounded(.down)) }

    // MARK: Counts

    /// Adds what was counted since the last time to the database, for domains that ask for reports.
    ///
    /// - Parameter looksUp: whether domains are asked first; a node that ends has no time for that, and they are asked
    ///   again before a report is sent.
    func flush(looksUp: Bool = true) async {
        let counted = results.takeAll()
        let taken = looksUp ? await wanted(counted) : counted
        guard !taken.isEmpty else { return }
        do {
            try await store.addTLSResults(
                taken.map { ($0.domain, $0.day.number) },
                dueAt: { [world] day in Int64(day + 1) * 86_400 + world.delay() },
                reportID: { UUID().uuidString.lowercased() }
            ) { index, present in
                var sum = taken[index]
                if let present {
                    sum = try TLSResults.Domain(domain: sum.domain, day: sum.day, decoding: present)
                    sum.add(taken[index])
                }
                return sum.encoded
            }
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
        let today = TLSResults.Day(world.now()).number
        let known = asked.withLock { asked in
            if asked.day != today { asked = Asked(day: today) }
            return asked.answers[domain]
        }
        if let known { return known }
        do throws(DNSFailure) {
            let asks = TLSReportRecord(texts: try await world.texts("_smtp._tls.\(domain)")) != nil
            asked.withLock { $0.answers[domain] = asks }
            return asks
        } catch {
            // Unknown for now: kept, and looked up again before it is sent.
            if error.isPermanent { asked.withLock { $0.answers[domain] = false } }
            return !error.isPermanent
        }
    }

    // MARK: Reports

    /// Sends what is due, a few at once.
    func sendDue() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<Self.reportsAtOnce { group.addTask { await self.sendUntilNoneIsDue() } }
        }
        do {
            try await store.forgetTLSReports(before: TLSResults.Day(world.now()).number - Self.keptDays)
        } catch {
            logger.warning("old TLS results not forgotten", metadata: ["error": "\(error)"])
        }
    }

    private func sendUntilNoneIsDue() async {
        do {
            while !Task.isCancelled,
                let report = try await store.claimTLSReport(at: seconds, leaseSeconds: Self.leaseSeconds)
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
        let waited = seconds - stored.firstTriedAt
        let nextAt = seconds + min(max(900, waited), 14_400)
        let givesUp = nextAt - stored.firstTriedAt >= Self.givesUpSeconds
        if givesUp && !isDone { logger.notice("TLS report given up", metadata: ["domain": "\(stored.domain)"]) }
        try await store.concludeTLSReport(stored, sentTo: sentTo, nextAt: isDone || givesUp ? nil : nextAt)
    }

    /// - Returns: whether nothing is left to be done.
    private func send(_ stored: StoredTLSReport, _ sentTo: inout Set<String>) async -> Bool {
        let record: TLSReportRecord
        do throws(DNSFailure) {
            guard let found = TLSReportRecord(texts: try await world.texts("_smtp._tls.\(stored.domain)")) else {
                return true
            }
            record = found
        } catch {
            return error.isPermanent
        }
        let day = TLSResults.Day(number: stored.day)
        guard let results = try? TLSResults.Domain(domain: stored.domain, day: day, decoding: stored.results) else {
            logger.error("TLS results cannot be read", metadata: ["domain": "\(stored.domain)"])
            return true
        }
        let report = TLSReport(
            results,
            submitter: TLSReport.Submitter(
                organization: settings.organization, contact: settings.sender.text, domain: settings.sender.domain),
            id: stored.reportID)
        var isDone = true
        for address in record.addresses where !sentTo.contains(address.text) {
            let attempt =
                switch address {
                case .mail(let recipient): await mail(report, to: recipient)
                case .https(let url): await post(report, to: url)
                }
            logger.info(
                "TLS report", metadata: ["domain": "\(stored.domain)", "by": "\(address.kind)", "result": "\(attempt)"])
            switch attempt {
            case .sent, .refused: sentTo.insert(address.text)
            case .failed: isDone = false
            }
        }
        return isDone
    }

    private enum Attempt: Sendable, CustomStringConvertible {
        case sent
        /// For good.
        case refused(String)
        case failed(String)

        var description: String {
            switch self {
            case .sent: "sent"
            case .refused(let reason): "refused: \(reason)"
            case .failed(let reason): "failed: \(reason)"
            }
        }
    }

    private func post(_ report: TLSReport, to url: String) async -> Attempt {
        do throws(TLSReportUpload.Failure) {
            try await world.upload.post(report.body, to: url)
            return .sent
        } catch {
            return error.isPermanent ? .refused(error.description) : .failed(error.description)
        }
    }

    /// Goes out whatever is wrong with the receiver's TLS (§5.3), which is what it tells of.
    private func mail(_ report: TLSReport, to recipient: EmailAddress) async -> Attempt {
        let content = report.mail(from: settings.sender, to: recipient, at: world.now())
        let signature: [UInt8]
        do {
            guard let signer = try await world.signer(settings.sender.domain) else {
                logger.error(
                    "TLS reports are not sent: no account sends from the sender's domain",
                    metadata: ["domain": "\(settings.sender.domain)"])
                return .failed("no key signs for the sender")
            }
            signature = try signer.sign(content, bodyOffset: Self.bodyOffset(content), at: seconds)
        } catch {
            return .failed("not signed")
        }
        let targets: [SMTPTarget]
        do throws(RoutingFailure) {
            targets = try await world.targets(recipient.domain)
        } catch {
            return error.isPermanent ? .refused(error.reason) : .failed(error.reason)
        }
        let envelope = SMTPEnvelope(
            reversePath: settings.sender.text, recipient: recipient, needsSMTPUTF8: false, is8Bit: false,
            size: signature.count + content.count)
        let message = OutgoingMessage(header: signature, content: content)
        var last = Attempt.failed("no mail host")
        for target in targets.prefix(Self.mostTargets) {
            do throws(SMTPConnectFailure) {
                let connection = try await SMTPConnection.connect(
                    to: target, configuration: world.client, group: world.group, logger: logger)
                let answer = await connection.deliver(envelope, message)
                await connection.quit()
                switch answer.verdict {
                // A second copy would be worse than a lost one.
                case .accepted, .inDoubt: return .sent
                case .permanent: return .refused("reply \(answer.reply?.code ?? 0)")
                case .temporary: last = .failed(answer.reply.map { "reply \($0.code)" } ?? answer.reason)
                }
            } catch {
                last = .failed(error.reason)
            }
        }
        return last
    }

    private static let mostTargets = 4

    private static func bodyOffset(_ message: [UInt8]) -> Int {
        let end = Array("\r\n\r\n".utf8)
        return message.firstRange(of: end)?.upperBound ?? message.count
    }
}

extension TLSReporter.World {
    /// DNS, mail hosts and web servers as they are.
    static func real(
        _ configuration: DeliveryConfiguration, destinations: DestinationResolver, resolver: DNSResolution.Resolver,
        domains: SendingDomains, clock: DeliveryClock, dice: Dice, group: any EventLoopGroup
    ) -> TLSReporter.World {
        let source = configuration.sources[DeliveryConfiguration.defaultPool]?.sources.first
        var client = SMTPClientConfiguration(
            heloName: source?.heloName ?? configuration.heloName, tls: .opportunistic,
            timeouts: configuration.timeouts)
        client.localAddress = source.flatMap { IPAddress($0.address) }
        return TLSReporter.World(
            texts: { name throws(DNSFailure) in try await resolver.txt(name) },
            targets: { domain throws(RoutingFailure) in try await destinations.targets(of: domain) },
            signer: { domain in
                guard let account = try await domains.owner(of: domain) else { return nil }
                return try await domains.signer(account, domain)
            },
            client: client,
            upload: TLSReportUpload(group: group) { host throws(DNSFailure) in
                try await resolver.addresses(of: host)
            },
            group: group, now: { clock.date },
            delay: {
                var dice = dice
                return .random(in: 900..<14_400, using: &dice)
            })
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
