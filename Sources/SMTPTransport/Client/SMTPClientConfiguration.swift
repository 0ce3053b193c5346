package import MailTypes
package import SMTPProtocol

/// How to speak to servers; shared by all connections of a kind.
package struct SMTPClientConfiguration: Sendable {
    package typealias TLSPolicy = SMTPTLSPolicy

    /// This host's name, or an address literal in brackets; visible ASCII.
    package let heloName: String
    /// The address of this machine that connections leave from; nil leaves it to the system.
    package var localAddress: IPAddress?
    /// For targets that have no policy of their own.
    package var tls: TLSPolicy
    /// TLS begins with the connection, as on port 465 (RFC 8314 §3.3), instead of by STARTTLS. Only with a policy that
    /// demands TLS.
    package var startsWithTLS = false
    package var credentials: SMTPCredentials?
    /// Connections are for mails that ask for REQUIRETLS (RFC 8689 §4.2.1): only to hosts whose policy verifies them, and
    /// that offer it.
    package var requiresTLS = false
    package var timeouts: SMTPTimeouts
    /// How many hosts one attempt tries, and for how long.
    package var attempt = SMTPAttemptLimits.standard
    package var limits = SMTPLimits.standard
    /// EHLO keywords that count as not offered, for destinations that do not bear what they offer. `startTLS` only where
    /// TLS is a bonus.
    package var withoutExtensions: Set<SMTPExtensions.Keyword> = []
    /// Whether servers may be told of the next mail together with the content before it; see ``OutgoingMessage/next``.
    package var announces = true
    /// PEM file of certificates to trust instead of the system's, where the policy verifies.
    package var trustRootsFile: String?
    /// Told how each connection's TLS went.
    package var onTLSOutcome: (@Sendable (SMTPTLSOutcome) -> Void)?
    /// Lets an operator listen.
    package var trace: SMTPTrace?

    package init(
        heloName: String, tls: TLSPolicy = .opportunistic, credentials: SMTPCredentials? = nil,
        timeouts: SMTPTimeouts = .standard
    ) {
        self.heloName = heloName
        self.tls = tls
        self.credentials = credentials
        self.timeouts = timeouts
    }

    func machine(_ policy: SMTPTLSPolicy) -> SMTPClientStateMachine.Configuration {
        var configuration = SMTPClientStateMachine.Configuration(heloName: heloName)
        configuration.tls = startsWithTLS ? .implicit : policy.machine
        configuration.credentials = credentials
        configuration.requiresTLS = requiresTLS
        configuration.limits = limits
        configuration.withoutExtensions = withoutExtensions
        configuration.announces = announces
        return configuration
    }
}
