package import MailTypes
package import SMTPProtocol

/// What protection the mails to a target must have, and what is done without it.
///
/// TLS is always 1.2 or 1.3. Whoever demands more than `.opportunistic` gets no mail out in plaintext, and none to a
/// server that fails the demand: the failure is temporary, and the connection is to blame for it.
package enum SMTPTLSPolicy: Sendable, Hashable {
    case never
    /// TLS where the server offers it, with any certificate: it keeps out listeners, not impostors (RFC 7435). If the
    /// handshake fails, the mail goes without.
    case opportunistic
    /// Delivers like `.opportunistic`, and tells what `.required(verify: true)` would have refused: an MTA-STS policy
    /// in mode `testing` (RFC 8461 §5).
    case testing
    /// - Parameter verify: also check the certificate's chain up to a trusted root, and that it names the host. This is
    ///   what an MTA-STS policy in mode `enforce` asks for.
    case required(verify: Bool)
    /// The certificate must match a TLSA record (RFC 7672).
    case dane(DANEPolicy)
    /// No connection may be made at all, for the reason given, such as a bogus answer about TLSA records.
    case refused(DeliveryReport.Cause)

    /// Whether TLS is a bonus: a session without it still carries mail.
    package var allowsPlaintext: Bool {
        switch self {
        case .never, .opportunistic, .testing: true
        case .required, .dane, .refused: false
        }
    }

    /// Whether a session under this policy has a server that is known to be the right one.
    package var verifiesServer: Bool {
        switch self {
        case .required(verify: true), .dane: true
        case .never, .opportunistic, .testing, .required(verify: false), .refused: false
        }
    }

    var machine: SMTPClientStateMachine.Configuration.TLS {
        switch self {
        case .never: .never
        case .opportunistic, .testing: .whenOffered
        case .required, .dane, .refused: .required
        }
    }
}

/// What DANE asks of one host (RFC 7672).
package struct DANEPolicy: Sendable, Hashable {
    /// One or more, all usable.
    package let records: Set<TLSARecord>
    /// Below which the records were found; sent as the server name (RFC 7672 §8.1).
    package let baseName: String
    /// Any of them may stand in the certificate of a chain under usage 2 (§3.2.2): the base name, the name in the MX
    /// record and the domain of the recipients.
    package let names: Set<String>

    /// - Parameter names: further names beside the base name.
    package init(records: Set<TLSARecord>, baseName: String, names: Set<String> = []) {
        precondition(!records.isEmpty, "DANE without records")
        self.records = records
        self.baseName = baseName
        self.names = names.union([baseName])
    }
}
