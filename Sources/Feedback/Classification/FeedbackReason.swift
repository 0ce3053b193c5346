/// Why a mail was refused, or what a mail about a mail is: the names that bounce processing in the field uses.
package enum FeedbackReason: String, CaseIterable, Sendable, Hashable, Decodable {
    // The mailbox
    case userunknown, hasmoved
    /// The recipient was refused; why is not clear.
    case filtered
    // The domain
    case hostunknown
    /// The domain takes no mail.
    case notaccept
    /// The mailbox is switched off.
    case suspend
    // Room
    case mailboxfull, systemfull
    // Pace
    case speeding, toomanyconn
    // Standing
    case blocked, badreputation, requireptr
    // Policy
    case spamdetected, policyviolation, rejected, securityerror, virusdetected
    case authfailure
    // The message
    case mesgtoobig, exceedlimit, contenterror, notcompliantrfc, syntaxerror
    // Set-up
    case norelaying, failedstarttls
    // Network and system
    case expired, networkerror, systemerror, mailererror
    case undefined, delivered
    // Mails of other kinds
    case vacation, challenge
    case readReceipt = "read-receipt"
    case dmarcReport = "dmarc-report"
    case tlsReport = "tls-report"

    /// Whether an address that fails for this reason will not take mail again, as far as the reason tells.
    var condemns: FeedbackHardness {
        switch self {
        case .userunknown, .hasmoved, .hostunknown, .notaccept: .yes
        case .filtered, .suspend, .undefined: .unknown
        default: .no
        }
    }
}

/// Whether an address, or its domain, does not take mail and sending must stop.
package enum FeedbackHardness: String, Sendable, Hashable {
    case yes, no, unknown
}
