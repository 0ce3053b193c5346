package import SMTPProtocol

/// How to speak to servers; shared by all connections of a kind.
package struct SMTPClientConfiguration: Sendable {
    package enum TLSPolicy: Sendable, Hashable {
        /// TLS where the server offers it, with any certificate: it keeps out listeners, not impostors (RFC 7435). If
        /// the handshake fails, the mail goes without.
        case opportunistic
        /// - Parameter verify: also check the certificate's chain and name.
        case required(verify: Bool)
        case never
    }

    /// This host's name, or an address literal in brackets; visible ASCII.
    package let heloName: String
    package var tls: TLSPolicy
    package var credentials: SMTPCredentials?
    package var timeouts: SMTPTimeouts
    package var limits = SMTPLimits.standard
    /// PEM file of certificates to trust instead of the system's, where the policy verifies.
    package var trustRootsFile: String?

    package init(
        heloName: String, tls: TLSPolicy = .opportunistic, credentials: SMTPCredentials? = nil,
        timeouts: SMTPTimeouts = .standard
    ) {
        self.heloName = heloName
        self.tls = tls
        self.credentials = credentials
        self.timeouts = timeouts
    }

    var machine: SMTPClientStateMachine.Configuration {
        var configuration = SMTPClientStateMachine.Configuration(heloName: heloName)
        configuration.tls =
            switch tls {
            case .opportunistic: .whenOffered
            case .required: .required
            case .never: .never
            }
        configuration.credentials = credentials
        configuration.limits = limits
        return configuration
    }
}
