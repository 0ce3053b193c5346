/// The least protection that mail must have, whatever its receivers publish: an account's wish, or the mail's own.
package enum TLSRequirement: String, Sendable, Hashable, CaseIterable {
    /// What the receivers publish, else TLS where it is offered.
    case opportunistic
    /// TLS, with any certificate.
    case encrypted
    /// TLS with a certificate that proves the host's name.
    case verified
    /// DANE; hosts without secure TLSA records get nothing.
    case dane
    /// RFC 8689: the way to the host and the host itself must be proven. Where the way cannot be, the session proves
    /// nothing either, and mails that ask for REQUIRETLS are refused for good with 5.7.30.
    case requireTLS
}
