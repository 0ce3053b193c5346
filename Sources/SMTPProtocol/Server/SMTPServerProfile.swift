/// What a server calls itself, offers and bears.
package struct SMTPServerProfile: Sendable, Hashable {
    /// The name in the greeting and in the answer to EHLO (RFC 5321 §4.3.1). One word.
    package var hostname: String
    /// The most octets of a message, offered as SIZE (RFC 1870).
    package var maximumMessageOctets = 50 << 20
    /// Whether PIPELINING is offered (RFC 2920).
    package var offersPipelining = true
    /// Whether STARTTLS is offered (RFC 3207).
    package var offersTLS = false
    /// Whether REQUIRETLS is offered, which it is only where TLS is on (RFC 8689 §2).
    package var offersRequireTLS = false
    package var limits = SMTPLimits.standard
    /// Malformed, unknown and misplaced commands in one session before it is closed.
    package var maximumErrors = 10

    package init(hostname: String) {
        self.hostname = hostname
    }

    /// - Parameter secured: TLS is on, so that it is not offered again.
    package func extensions(secured: Bool) -> SMTPExtensions {
        var extensions = SMTPExtensions()
        extensions.pipelining = offersPipelining
        extensions.size = maximumMessageOctets
        extensions.eightBitMIME = true
        extensions.smtpUTF8 = true
        extensions.enhancedStatusCodes = true
        extensions.startTLS = offersTLS && !secured
        extensions.requireTLS = offersRequireTLS && secured
        return extensions
    }
}
