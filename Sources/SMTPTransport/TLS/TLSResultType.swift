package import SMTPProtocol

/// What went wrong with a session's TLS or with the policy for it, in the words of RFC 8460 §4.3.
package enum TLSResultType: String, Sendable, Hashable, CaseIterable {
    case startTLSNotSupported = "starttls-not-supported"
    case certificateHostMismatch = "certificate-host-mismatch"
    case certificateExpired = "certificate-expired"
    case certificateNotTrusted = "certificate-not-trusted"
    /// Anything else, a certificate that matches no TLSA record among it.
    case validationFailure = "validation-failure"
    case tlsaInvalid = "tlsa-invalid"
    case dnssecInvalid = "dnssec-invalid"
    case daneRequired = "dane-required"
    case stsPolicyFetchError = "sts-policy-fetch-error"
    case stsPolicyInvalid = "sts-policy-invalid"
    case stsWebPKIInvalid = "sts-webpki-invalid"

    /// - Returns: nil for what has nothing to do with TLS.
    package init?(_ cause: DeliveryReport.Cause) {
        switch cause {
        case .tlsNotOffered: self = .startTLSNotSupported
        case .certificateNameMismatch: self = .certificateHostMismatch
        case .certificateExpired: self = .certificateExpired
        case .certificateNotTrusted: self = .certificateNotTrusted
        case .tlsFailed, .inputBeforeTLS, .tlsaMismatch, .mailHostNotInPolicy: self = .validationFailure
        case .tlsaUnusable: self = .tlsaInvalid
        case .tlsaUnavailable: self = .dnssecInvalid
        case .daneRequired: self = .daneRequired
        case .mtaSTSPolicyUnavailable: self = .stsPolicyFetchError
        case .accepted, .refused, .unreachable, .connectionClosed, .timedOut, .cancelled, .poolClosed,
            .protocolViolation, .malformedReply, .authNotOffered, .authOnPlaintext, .messageTooBig,
            .smtpUTF8NotOffered, .eightBitNotOffered, .unsafeReversePath, .requireTLSNotOffered:
            return nil
        }
    }
}
