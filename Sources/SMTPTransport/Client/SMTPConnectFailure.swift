package import MailTypes
package import SMTPProtocol

/// No session with the server came about.
package struct SMTPConnectFailure: Error, Sendable, Hashable {
    /// The host that was tried last; empty where none was.
    package let host: String
    /// What this means for a recipient that was to be served.
    package let report: DeliveryReport
    /// The addresses that were tried; each counts for an attempt.
    package internal(set) var tried: Set<SMTPEndpoint> = []
    /// This side's address, where a connection was made.
    package let localAddress: IPAddress?
    /// The session broke after its TLS handshake had succeeded.
    var isBehindTLS = false

    package init(host: String, report: DeliveryReport) {
        self.init(host: host, report: report, localAddress: nil)
    }

    init(host: String, report: DeliveryReport, localAddress: IPAddress?) {
        self.host = host
        self.report = report
        self.localAddress = localAddress
    }

    init(_ cause: DeliveryReport.Cause, in phase: SMTPPhase = .connect, host: String = "") {
        self.init(host: host, report: DeliveryReport(.temporary, cause, in: phase, blame: .connection))
    }

    /// A host with which plaintext may fare better: the handshake failed, or nothing came of the session behind it.
    var breaksTLS: Bool {
        report.cause == .tlsFailed
            || isBehindTLS && (report.cause == .connectionClosed || report.cause == .timedOut)
    }

    package var verdict: DeliveryReport.Verdict { report.verdict }
    package var phase: SMTPPhase { report.phase }
    package var reply: SMTPReply? { report.reply }
    package var reason: String { report.reason }
}

extension SMTPConnectFailure: CustomStringConvertible {
    package var description: String {
        let code = reply.map { " (\($0))" } ?? ""
        return "\(host.isEmpty ? "connection" : host): \(reason) in phase \(phase.rawValue)\(code)"
    }
}
