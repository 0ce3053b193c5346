import Logging
import MailSigning
import MailTypes
import NIOCore
import SMTPProtocol
import SMTPTransport

/// Sends a report to one of the addresses that ask for it.
struct TLSReportSender: Sendable {
    enum Attempt: Sendable, CustomStringConvertible {
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

    let sender: EmailAddress
    let world: TLSReporter.World
    let logger: Logger

    func send(_ report: TLSReport, to address: TLSReportRecord.Address) async -> Attempt {
        switch address {
        case .mail(let recipient): await mail(report, to: recipient)
        case .https(let url): await post(report, to: url)
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

    // MARK: Mail

    /// Goes out whatever is wrong with the receiver's TLS (§5.3), which is what it tells of.
    private func mail(_ report: TLSReport, to recipient: EmailAddress) async -> Attempt {
        let content = report.mail(from: sender, to: recipient, at: world.now())
        let signature: [UInt8]
        do {
            guard let signed = try await sign(content) else { return .failed("no key signs for the sender") }
            signature = signed
        } catch {
            return .failed("not signed")
        }
        do throws(TLSReporter.NoRoute) {
            let targets = try await world.targets(recipient.domain)
            return await deliver(OutgoingMessage(header: signature, content: content), to: recipient, at: targets)
        } catch {
            return error.isPermanent ? .refused(error.reason) : .failed(error.reason)
        }
    }

    /// - Returns: nil where no account sends from the sender's domain.
    private func sign(_ content: [UInt8]) async throws -> [UInt8]? {
        guard let signer = try await world.signer(sender.domain) else {
            logger.error(
                "TLS reports are not sent: no account sends from the sender's domain",
                metadata: ["domain": "\(sender.domain)"])
            return nil
        }
        return try signer.sign(content, bodyOffset: Self.bodyOffset(content), at: world.seconds)
    }

    private func deliver(
        _ message: OutgoingMessage, to recipient: EmailAddress, at targets: [SMTPTarget]
    ) async -> Attempt {
        let envelope = SMTPEnvelope(
            reversePath: sender.text, recipient: recipient, needsSMTPUTF8: false, is8Bit: false, size: message.size)
        var last = Attempt.failed("no mail host")
        for target in targets.prefix(Self.mostTargets) {
            last = await deliver(message, envelope, to: target)
            guard case .failed = last else { break }
        }
        return last
    }

    private func deliver(
        _ message: OutgoingMessage, _ envelope: SMTPEnvelope, to target: SMTPTarget
    ) async -> Attempt {
        do throws(SMTPConnectFailure) {
            let connection = try await SMTPConnection.connect(
                to: target, configuration: world.client, group: world.group, logger: logger)
            let answer = await connection.deliver(envelope, message)
            await connection.quit()
            return switch answer.verdict {
            // A second copy would be worse than a lost one.
            case .accepted, .inDoubt: .sent
            case .permanent: .refused("reply \(answer.reply?.code ?? 0)")
            case .temporary: .failed(answer.reply.map { "reply \($0.code)" } ?? answer.reason)
            }
        } catch {
            return .failed(error.reason)
        }
    }

    private static let mostTargets = 4

    private static func bodyOffset(_ message: [UInt8]) -> Int {
        let end = Array("\r\n\r\n".utf8)
        return message.firstRange(of: end)?.upperBound ?? message.count
    }
}
