package import MailTypes

/// What became of one recipient in one attempt.
package struct DeliveryReport: Sendable, Hashable {
    package enum Verdict: String, Sendable, Hashable {
        /// The server took responsibility (RFC 5321 §6.1).
        case accepted
        /// Not delivered; try again later.
        case temporary
        /// Not delivered; trying again will not help.
        case permanent
        /// The connection ended after the final dot may have been written and before its whole answer: the server may
        /// or may not have the mail (RFC 1047).
        case inDoubt
    }

    /// What the next decision should look at. Means nothing when accepted.
    package enum Blame: String, Sendable, Hashable {
        /// This address: other recipients of the same server may fare better.
        case recipient
        /// This message: it would be refused for other recipients too.
        case message
        /// The server, the network, our standing with it, or our own set-up: slow down or try another host.
        case connection
    }

    /// Why, for programs; `rawValue` is for people. Names nobody.
    package enum Cause: String, Sendable, Hashable {
        case accepted
        /// The reply says why.
        case refused = "refused by the server"
        case unreachable = "no connection to the server"
        case connectionClosed = "connection closed"
        case timedOut = "timed out"
        case cancelled
        case poolClosed = "the connection pool is closed"
        case protocolViolation = "unexpected reply"
        case malformedReply = "malformed or oversized reply"
        case inputBeforeTLS = "plaintext after STARTTLS"
        case tlsNotOffered = "TLS is required and not offered"
        case tlsFailed = "TLS handshake failed"
        case certificateNameMismatch = "the server's certificate is for another name"
        case certificateExpired = "the server's certificate is not valid at this time"
        case certificateNotTrusted = "nobody trusted vouches for the server's certificate"
        case tlsaMismatch = "the server's certificate matches no TLSA record"
        case tlsaUnusable = "no TLSA record of the server can be used"
        case tlsaUnavailable = "the server's TLSA records could not be had securely"
        case daneRequired = "DANE is required and the server has no secure TLSA records"
        case mailHostNotInPolicy = "the MTA-STS policy of the domain does not name the server"
        case mtaSTSPolicyUnavailable = "the domain's MTA-STS policy could not be had"
        case requireTLSNotOffered = "REQUIRETLS is needed and not offered over verified TLS"
        case authNotOffered = "no usable AUTH mechanism is offered"
        case authOnPlaintext = "credentials are not sent without TLS"
        case messageTooBig = "the message exceeds the server's size limit"
        case smtpUTF8NotOffered = "SMTPUTF8 is needed and not offered"
        case eightBitNotOffered = "8BITMIME is needed and not offered"
        case unsafeReversePath = "the reverse path is not a safe address"
    }

    package let verdict: Verdict
    /// The decisive reply; nil where there was none.
    package let reply: SMTPReply?
    /// The reply's enhanced code, or ours where we refused without asking the server.
    package let enhanced: EnhancedStatusCode?
    /// The command whose answer decided, or was awaited.
    package let phase: SMTPPhase
    package let blame: Blame
    package let cause: Cause
    /// The server has not looked at this transaction: it ends connections after a while, and the end crossed the first
    /// command; or it wants the same said in another way. Another connection may be tried at once.
    package internal(set) var mayRetryAtOnce = false
    /// The server offers this and does not seem to bear it: better done without from now on.
    package internal(set) var suspectedExtension: SMTPExtensions.Keyword?
    /// The server fell silent or broke off where commands had left behind a content (RFC 2920 §3.1): better done without from
    /// now on.
    package internal(set) var suspectsAnnouncing = false

    package init(
        _ verdict: Verdict, _ cause: Cause, in phase: SMTPPhase, blame: Blame, reply: SMTPReply? = nil,
        enhanced: EnhancedStatusCode? = nil
    ) {
        self.verdict = verdict
        self.reply = reply
        self.enhanced = reply?.enhanced ?? enhanced
        self.phase = phase
        self.blame = blame
        self.cause = cause
    }

    /// A short text without personal data, such as `connection closed`.
    package var reason: String { cause.rawValue }

    /// Whether the server wants a login that it was not given, or refuses the one that it was given: our set-up is wrong,
    /// and no mail is to blame. At a server that needs no login, `530` may mean the sender or TLS (RFC 4954 §6,
    /// RFC 3207 §4), so ask only about smarthosts.
    package var isLoginFailure: Bool {
        switch cause {
        case .authNotOffered, .authOnPlaintext: true
        case .refused where phase == .auth: reply?.closesConnection == false
        case .refused where phase == .mail: reply.map { [530, 534, 535, 538].contains($0.code) } ?? false
        default: false
        }
    }

    /// The verdict that a negative reply to a command of a transaction gives.
    ///
    /// - Parameter reply: 4yz or 5yz.
    static func refusal(_ reply: SMTPReply, in phase: SMTPPhase) -> DeliveryReport {
        DeliveryReport(
            reply.isPermanent ? .permanent : .temporary, .refused, in: phase, blame: blame(for: reply, in: phase),
            reply: reply)
    }

    /// The verdict on a refusal of how something was said, where it can be said without an extension.
    static func refusal(
        _ reply: SMTPReply, in phase: SMTPPhase, suspecting keyword: SMTPExtensions.Keyword
    ) -> DeliveryReport {
        var report = DeliveryReport(.temporary, .refused, in: phase, blame: .connection, reply: reply)
        report.suspectedExtension = keyword
        report.mayRetryAtOnce = true
        return report
    }

    /// The verdict on a connection that did not come about. Never permanent: another host, or this one tomorrow,
    /// may take the mail, even where the greeting is `554` (RFC 5321 §3.1). The exception is
    /// ``requireTLSNotOffered(in:)``.
    static func failedOpening(_ cause: Cause, in phase: SMTPPhase, reply: SMTPReply? = nil) -> DeliveryReport {
        DeliveryReport(.temporary, cause, in: phase, blame: .connection, reply: reply)
    }

    /// The verdict on a host that does not promise verified TLS for the whole way, for a mail that needs that
    /// (RFC 8689 §4.2.1).
    package static func requireTLSNotOffered(in phase: SMTPPhase) -> DeliveryReport {
        DeliveryReport(
            .permanent, .requireTLSNotOffered, in: phase, blame: .message,
            enhanced: EnhancedStatusCode(statusClass: 5, subject: 7, detail: 30))
    }

    private static func blame(for reply: SMTPReply, in phase: SMTPPhase) -> Blame {
        if reply.closesConnection { return .connection }
        // Too big for the system, in whichever phase it says so (RFC 3463 §3.4).
        if let enhanced = reply.enhanced, (enhanced.subject, enhanced.detail) == (3, 4) { return .message }
        switch phase {
        case .rcpt: return .recipient
        case .mail: return reply.code == 552 || reply.enhanced?.subject == 6 ? .message : .connection
        case .data, .content, .finalDot: return .message
        case .connect, .greeting, .ehlo, .startTLS, .auth, .quit: return .connection
        }
    }
}
