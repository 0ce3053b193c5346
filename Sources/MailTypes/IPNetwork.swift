/// The addresses that share a prefix (RFC 4632 §3.1, RFC 4291 §2.3): `192.0.2.0/24`, `2001:db8::/32`. An address alone is
/// the network of that one address.
package struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    private let address: IPAddress
    /// Bits that all its addresses share.
    private let prefix: Int

    /// - Returns: nil for anything else, also for a network with bits set behind its prefix: such a text may mean the
    ///   address or the network.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0])?.unmapped else { return nil }
        let width = address.isVersion6 ? 128 : 32
        guard parts.count == 2 else {
            self.init(address: address, prefix: width)
            return
        }
        guard let prefix = Int(parts[1]), String(prefix) == parts[1], (0...width).contains(prefix) else { return nil }
        self.init(address: address, prefix: prefix)
        guard Self.bits(of: address).dropFirst(prefix).allSatisfy({ !$0 }) else { return nil }
    }

    /// The network that an address is in.
    ///
    /// - Parameter prefix: how many bits all its addresses share; 0…32, 0…128 for IPv6
    package init(of address: IPAddress, prefix: Int) {
        let address = address.unmapped
        let octets = address.bytes.enumerated().map { place, octet in
            octet & UInt8(truncatingIfNeeded: 0xFF00 >> min(8, max(0, prefix - 8 * place)))
        }
        self.init(address: IPAddress(bytes: octets) ?? address, prefix: prefix)
    }

    private init(address: IPAddress, prefix: Int) {
        self.address = address
        self.prefix = prefix
    }

    /// An IPv4 address is also known in its IPv6 form, as sockets for both families give it.
    package func contains(_ other: IPAddress) -> Bool {
        let other = other.unmapped
        return address.isVersion6 == other.isVersion6
            && Self.bits(of: address).prefix(prefix) == Self.bits(of: other).prefix(prefix)
    }

    /// Whether all addresses of the other network are in this one.
    package func contains(_ other: IPNetwork) -> Bool { other.prefix >= prefix && contains(other.address) }

    /// In CIDR notation; an address alone without its prefix.
    package var description: String {
        prefix == (address.isVersion6 ? 128 : 32) ? "\(address)" : "\(address)/\(prefix)"
    }

    private static func bits(of address: IPAddress) -> [Bool] {
        address.bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 == 1 } }
    }
}

extension IPAddress {
    /// The IPv4 address that a socket of IPv6 gives as `::ffff:192.0.2.1` (RFC 4291 §2.5.5.2); others stay as they are.
    package var unmapped: IPAddress {
        guard case .v6(high: 0, let low) = self, low >> 32 == 0xFFFF else { return self }
        return .v4(UInt32(truncatingIfNeeded: low))
    }
}
