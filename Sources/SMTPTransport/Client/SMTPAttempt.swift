package import NIOCore
package import SMTPProtocol

/// How far one attempt at one mail goes (RFC 5321 §5.1 leaves the bound to the client).
package struct SMTPAttemptLimits: Sendable, Hashable {
    /// Addresses that are tried; at least 1.
    package var addresses: Int
    /// Sessions in which the mail is offered; at least 1.
    package var sessions: Int
    /// Time after which no further host is tried, and within which connections must be open.
    package var duration: Duration

    package init(addresses: Int = 5, sessions: Int = 2, duration: Duration = .seconds(300)) {
        precondition(addresses >= 1 && sessions >= 1, "an attempt without hosts")
        self.addresses = addresses
        self.sessions = sessions
        self.duration = duration
    }

    package static let standard = SMTPAttemptLimits()
}

/// One attempt to hand one mail to a destination: which hosts have been tried, what they said, and whether another is
/// to be tried. A value; ``SMTPConnectionPool`` lends connections to the hosts that are left.
///
/// A host that answers 4yz to whatever command or to the final dot, breaks off before that, fails TLS or falls silent does
/// not keep the mail from the next. A 5yz ends the attempt, and so does the want of an answer to the final dot.
///
///     var attempt = SMTPAttempt()
///     while true {
///         let step: SMTPAttempt.Step
///         do throws(SMTPConnectFailure) {
///             step = try await pool.withConnection(for: attempt) { connection in
///                 let report = await connection.deliver(envelope, message)
///                 return pool.next(&attempt, after: report, by: connection)
///             }
///         } catch {
///             step = attempt.next(after: error)
///         }
///         guard case .end(let report) = step else { continue }
///         return report
///     }
///
/// Whoever lends a connection for several mails keeps an attempt with each mail, and gives the connection back when one
/// of them is to go elsewhere. A caller whose rules take an answer for a word about itself (slow down, block) may end an
/// attempt that could go on: its ``answer`` is what stands.
package struct SMTPAttempt: Sendable, Hashable {
    package enum Step: Sendable, Hashable {
        /// The same again, over any connection: nothing was asked of the host yet. Does not count.
        case again
        /// Over a connection to a host that was not tried.
        case elsewhere
        /// What the attempt came to.
        case end(DeliveryReport)
    }

    private let limits: SMTPAttemptLimits
    /// When no further host is tried.
    package let until: NIODeadline
    package private(set) var tried: Set<SMTPEndpoint> = []
    /// Names of the hosts that were asked to take the mail.
    package private(set) var hosts: Set<String> = []
    package private(set) var sessions = 0
    /// The answer that speaks for all hosts so far; nil before the first.
    package private(set) var answer: DeliveryReport?
    private var repetitions = 0

    package init(limits: SMTPAttemptLimits = .standard, at now: NIODeadline = .now()) {
        self.limits = limits
        until = now + TimeAmount(limits.duration)
    }

    /// Whether the mail was at a host already, so that the next connection must be to another.
    package var isElsewhere: Bool { !tried.isEmpty }

    package var addressesLeft: Int { max(0, limits.addresses - tried.count) }

    /// What connections for the attempt keep clear of.
    package var avoidance: SMTPTargetOrder.Avoidance {
        SMTPTargetOrder.Avoidance(endpoints: tried, hosts: hosts, skipsResting: isElsewhere)
    }

    /// - Parameter hasAnotherHost: whether the destination has a host that was not tried and is not known to be ill.
    package mutating func next(
        after report: DeliveryReport, by target: SMTPTarget, hasAnotherHost: (SMTPAttempt) -> Bool,
        at now: NIODeadline = .now()
    ) -> Step {
        if report.mayRetryAtOnce, repetitions < Self.mostRepetitions {
            repetitions += 1
            return .again
        }
        tried.insert(target.endpoint)
        hosts.insert(target.host)
        sessions += 1
        take(report)
        guard report.isAboutHost, sessions < limits.sessions, addressesLeft > 0, now < until, hasAnotherHost(self)
        else { return .end(answer ?? report) }
        return .elsewhere
    }

    /// No connection came about, to any host that was left.
    package mutating func next(after failure: SMTPConnectFailure) -> Step {
        tried.formUnion(failure.tried)
        take(failure.report)
        return .end(answer ?? failure.report)
    }

    /// The best answer speaks for all: a word of a host before a failure to reach one, a final word before any other.
    private mutating func take(_ report: DeliveryReport) {
        if answer.map({ Self.weight(of: $0) <= Self.weight(of: report) }) ?? true { answer = report }
    }

    private static func weight(of report: DeliveryReport) -> Int {
        if report.verdict == .accepted || report.verdict == .inDoubt { return 4 }
        switch report.phase {
        case .connect, .greeting, .ehlo, .startTLS, .auth: return report.reply == nil ? 0 : 1
        case .mail, .rcpt, .data, .content, .finalDot, .quit:
            // A permanent word about the mail, or a temporary one.
            return report.verdict == .permanent ? 4 : report.reply == nil ? 2 : 3
        }
    }

    private static let mostRepetitions = 3
}

extension DeliveryReport {
    /// Whether another host may do better: nobody has the mail or may have it, and nobody said a final word. A server that
    /// answers 4yz to the final dot has not taken the mail (RFC 5321 §4.2.5).
    package var isAboutHost: Bool {
        verdict == .temporary && (phase != .finalDot || reply != nil) && cause != .cancelled && cause != .poolClosed
    }
}
