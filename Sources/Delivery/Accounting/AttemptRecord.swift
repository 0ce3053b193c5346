import Campaigns
import Foundation
package import MailTypes
package import SMTPProtocol
import SMTPTransport

/// One attempt to hand a mail over, as a line of the accounting log has it: who was asked, from where, how safely, what the
/// answer was, and what was decided. A value; ``line(personalData:)`` writes it.
package struct AttemptRecord: Sendable, Equatable {
    /// The server that was asked, and the way to it.
    package struct Peer: Sendable, Equatable {
        /// Empty where no host was reached for.
        package var host: String
        /// Nil where no connection came about.
        package var address: IPAddress?
        /// This side's address, where it is known.
        package var source: IPAddress?
        /// Such as `TLSv1.3`; nil where the session was in plain text.
        package var tls: String?
        package var isVerified: Bool

        package init(
            host: String, address: IPAddress? = nil, source: IPAddress? = nil, tls: String? = nil,
            isVerified: Bool = false
        ) {
            self.host = host
            self.address = address
            self.source = source
            self.tls = tls
            self.isVerified = isVerified
        }

        init(_ connection: SMTPConnection) {
            self.init(
                host: connection.target.host, address: connection.target.address, source: connection.localAddress,
                tls: connection.isEncrypted ? connection.tlsVersion ?? "TLS" : nil, isVerified: connection.isVerified)
        }

        init(_ failure: SMTPConnectFailure) {
            self.init(host: failure.host, source: failure.localAddress)
        }
    }

    /// When the attempt ended, in milliseconds since 1970.
    package var time: Int64
    package var batch: BatchID
    package var recipient: EmailAddress
    /// 1 for the first.
    package var attempt: Int
    package var peer: Peer
    package var report: DeliveryReport
    /// What became of the recipient: an outcome's name, `deferred` or `deferred_in_doubt`.
    package var decision: String
    /// From MAIL to the answer; nil where no transaction began.
    package var milliseconds: Int64?

    package init(
        time: Int64, batch: BatchID, recipient: EmailAddress, attempt: Int, peer: Peer, report: DeliveryReport,
        decision: String, milliseconds: Int64? = nil
    ) {
        self.time = time
        self.batch = batch
        self.recipient = recipient
        self.attempt = attempt
        self.peer = peer
        self.report = report
        self.decision = decision
        self.milliseconds = milliseconds
    }
}

extension AttemptRecord {
    init(
        _ run: BatchRun, _ position: Int, _ peer: Peer, _ report: DeliveryReport, _ decision: AttemptDecision,
        _ seconds: Double?, at time: Double
    ) {
        let recipient = run.batch.records[position]
        self.init(
            time: Int64(time * 1_000), batch: run.batch.id, recipient: recipient.address,
            attempt: Int(recipient.attempt) + 1, peer: peer, report: report, decision: decision.name,
            milliseconds: seconds.map { Int64($0 * 1_000) })
    }
}

extension AttemptDecision {
    /// As the accounting log calls it.
    fileprivate var name: String {
        switch self {
        case .final(let outcome): outcome.name
        case .retry(countsAsInDoubt: true): "deferred_in_doubt"
        case .retry(countsAsInDoubt: false): "deferred"
        }
    }
}

extension AttemptRecord {
    /// The record as one line of JSON with its line end; names in snake_case, in alphabetical order, those without a value
    /// left out.
    ///
    /// - Parameter personalData: the address as it is, and the reply as it came. Otherwise the local part is `…`, also where
    ///   the reply repeats it.
    package func line(personalData: Bool) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        // Only numbers that are no numbers cannot be written, and there are none.
        guard let data = try? encoder.encode(Line(self, personalData: personalData)) else { return [] }
        return Array(data) + [UInt8(ascii: "\n")]
    }

    private struct Line: Encodable {
        let time: String
        let account: String
        let campaign: String
        let batch: Int32
        let recipient: String
        let attempt: Int
        let host: String
        let address: String?
        let source: String?
        let tls: String?
        let tlsVerified: Bool
        let phase: String
        let code: Int?
        let enhanced: String?
        let reply: String?
        let reason: String
        let durationMs: Int64?
        let decision: String

        init(_ record: AttemptRecord, personalData: Bool) {
            let recipient = record.recipient
            time = Self.timeStamp(record.time)
            account = "\(record.batch.account.rawValue)"
            campaign = "\(record.batch.campaign)"
            batch = record.batch.number
            self.recipient = personalData ? recipient.text : "…@\(recipient.domain.text)"
            attempt = record.attempt
            host = record.peer.host
            address = record.peer.address?.description
            source = record.peer.source?.description
            tls = record.peer.tls
            tlsVerified = record.peer.isVerified
            phase = record.report.phase.rawValue
            code = record.report.reply?.code
            enhanced = record.report.enhanced?.description
            let text = record.report.reply?.lines.joined(separator: "\n")
            reply = personalData ? text : text?.masking(recipient.localPart)
            reason = record.report.reason
            durationMs = record.milliseconds
            decision = record.decision
        }

        private static func timeStamp(_ milliseconds: Int64) -> String {
            Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
                .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        }
    }
}

extension String {
    /// Without addresses, and without a word that is the local part of the recipient: some servers name the user alone.
    fileprivate func masking(_ localPart: some StringProtocol) -> String {
        let masked = addressesMasked
        guard localPart.count > 1 else { return masked }
        var result = ""
        var rest = masked[...]
        while let range = rest.range(of: localPart, options: .caseInsensitive) {
            let isWord =
                !(rest[..<range.lowerBound].last?.isWordCharacter ?? false)
                && !(rest[range.upperBound...].first?.isWordCharacter ?? false)
            result += rest[..<range.lowerBound] + (isWord ? "…" : rest[range])
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}

extension Character {
    fileprivate var isWordCharacter: Bool { isLetter || isNumber }
}
