import MailTypes

/// Whose requests are counted together: an IPv4 address, or the 64 bits of an IPv6 network, of which one subscriber has
/// all addresses.
struct ClientNetwork: Hashable, Sendable {
    /// Four octets, or the first eight of sixteen; none where it is not known.
    let octets: [UInt8]

    /// - Parameter address: of the client; nil where it is not known.
    init(_ address: IPAddress?) {
        octets = address.map { Array($0.unmapped.bytes.prefix($0.unmapped.isVersion6 ? 8 : 4)) } ?? []
    }
}
