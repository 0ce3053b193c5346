package import MailTypes

/// Where mail for a domain goes (RFC 5321 §5.1).
package enum MailRoute: Sendable, Hashable {
    /// One or more hosts, the best first.
    case hosts([MailHost])
    /// The domain takes no mail (RFC 7505).
    case nullMX
}

/// A host that takes mail for a domain.
package struct MailHost: Sendable, Hashable {
    /// In lower case without a final dot. Not a `DomainName`: names of one label and names with underscores occur.
    package let name: String
    /// The lower, the better; 0 if the domain has no MX records and is its own host.
    package let preference: Int
    /// One or more, to try in this order. Not judged: whether they may be dialled is for the caller to decide.
    package let addresses: [IPAddress]
    /// DNSSEC proves that the domain's mail goes to this host (RFC 7672 §2.2.1). A domain without MX records is its own
    /// host, so that only its addresses need proof.
    package let isRouteSecure: Bool
    /// DNSSEC proves the addresses, and the aliases that led to them.
    package let areAddressesSecure: Bool
    /// Whose the addresses are, where aliases led there.
    package let canonicalName: String?

    package init(
        name: String, preference: Int, addresses: [IPAddress], isRouteSecure: Bool = false,
        areAddressesSecure: Bool = false, canonicalName: String? = nil
    ) {
        self.name = name
        self.preference = preference
        self.addresses = addresses
        self.isRouteSecure = isRouteSecure
        self.areAddressesSecure = areAddressesSecure
        self.canonicalName = canonicalName
    }

    /// Whether TLSA records of the host can be relied on, and so may be asked for (RFC 7672 §2.2).
    package var isSecure: Bool { isRouteSecure && areAddressesSecure }
}
