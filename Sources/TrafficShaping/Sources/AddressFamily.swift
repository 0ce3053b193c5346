package import MailTypes

/// Which addresses of a host are connected to, and which first.
package enum AddressFamily: String, Sendable, Hashable, CaseIterable {
    /// All, in the order in which they were found.
    case any
    case ipv4
    case ipv6
    case ipv4First = "ipv4_first"
    case ipv6First = "ipv6_first"

    /// - Returns: those of the family, or all with those of the family first; otherwise in the order given.
    package func choice(of addresses: [IPAddress]) -> [IPAddress] {
        let version4 = addresses.filter { !$0.isVersion6 }
        let version6 = addresses.filter(\.isVersion6)
        return switch self {
        case .any: addresses
        case .ipv4: version4
        case .ipv6: version6
        case .ipv4First: version4 + version6
        case .ipv6First: version6 + version4
        }
    }

    /// For people, such as "no IPv6 address".
    package var name: String {
        switch self {
        case .any: "IP"
        case .ipv4, .ipv4First: "IPv4"
        case .ipv6, .ipv6First: "IPv6"
        }
    }
}
