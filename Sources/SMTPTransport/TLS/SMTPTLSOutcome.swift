package import MailTypes
package import SMTPProtocol

/// How the TLS part of one connection went, for counting (RFC 8460). A connection that never got that far has none.
package struct SMTPTLSOutcome: Sendable, Hashable {
    package let target: SMTPTarget
    package let policy: SMTPTLSPolicy
    /// This side's address.
    package let localAddress: IPAddress?
    /// Nil: the session is as the policy wants it, under `.opportunistic` and `.testing` encrypted.
    package let fault: DeliveryReport.Cause?
    /// Whether a session came about all the same, or as it should.
    package let isSessionOpen: Bool

    package init(
        target: SMTPTarget, policy: SMTPTLSPolicy, localAddress: IPAddress?, fault: DeliveryReport.Cause?,
        isSessionOpen: Bool = false
    ) {
        self.target = target
        self.policy = policy
        self.localAddress = localAddress
        self.fault = fault
        self.isSessionOpen = isSessionOpen
    }

    package var failureType: TLSResultType? { fault.map { TLSResultType($0) ?? .validationFailure } }
}
