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

    package init(name: String, preference: Int, addresses: [IPAddress]) {
        self.name = name
        self.preference = preference
        self.addresses = addresses
    }
}
