extension IPAddress {
    /// Whether the address can belong to a host on the public Internet, so that mail may be delivered to it.
    ///
    /// Everything that the IANA special-purpose registries (RFC 6890) do not mark as globally reachable is refused, and
    /// every IPv6 form that carries an IPv4 address in it: a gateway would turn that into a connection to the inner
    /// address, which may be a private one.
    package var isGlobal: Bool {
        switch self {
        case .v4(let bits): !Self.specialVersion4.contains { $0.contains(bits) }
        case .v6(let high, _): Self.isGlobalVersion6(high)
        }
    }

    private static func isGlobalVersion6(_ high: UInt64) -> Bool {
        // All global unicast space assigned so far is 2000::/3 (RFC 4291 §2.4). What lies outside is refused without
        // being listed: ::, ::1, IPv4-compatible and IPv4-mapped, 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64),
        // 100::/64 (discard), 5f00::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8.
        guard high >> 61 == 1 else { return false }
        // 2001::/23 is for protocols (RFC 2928): Teredo 2001::/32, benchmarking, ORCHID; no mail host has one.
        if high >> 41 == 0x2001_0000 >> 9 { return false }
        // 2001:db8::/32 and 3fff::/20, documentation (RFC 3849, RFC 9637).
        if high >> 32 == 0x2001_0DB8 || high >> 44 == 0x3FFF0 { return false }
        // 2002::/16, 6to4 (RFC 3056).
        return high >> 48 != 0x2002
    }

    private struct Block {
        let network: UInt32
        let prefix: UInt32

        init(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: UInt32, _ prefix: UInt32) {
            network = a << 24 | b << 16 | c << 8 | d
            self.prefix = prefix
        }

        func contains(_ bits: UInt32) -> Bool { (bits ^ network) >> (32 - prefix) == 0 }
    }

    private static let specialVersion4: [Block] = [
        Block(0, 0, 0, 0, 8),  // this network (RFC 791)
        Block(10, 0, 0, 0, 8),  // private (RFC 1918)
        Block(100, 64, 0, 0, 10),  // carrier-grade NAT (RFC 6598)
        Block(127, 0, 0, 0, 8),  // loopback (RFC 1122)
        Block(169, 254, 0, 0, 16),  // link-local (RFC 3927), and the metadata services of clouds
        Block(172, 16, 0, 0, 12),  // private
        Block(192, 0, 0, 0, 24),  // protocol assignments (RFC 6890)
        Block(192, 0, 2, 0, 24),  // documentation (RFC 5737)
        Block(192, 88, 99, 0, 24),  // 6to4 relays, withdrawn (RFC 7526)
        Block(192, 168, 0, 0, 16),  // private
        Block(198, 18, 0, 0, 15),  // benchmarking (RFC 2544)
        Block(198, 51, 100, 0, 24),  // documentation
        Block(203, 0, 113, 0, 24),  // documentation
        Block(224, 0, 0, 0, 4),  // multicast (RFC 5771)
        Block(240, 0, 0, 0, 4),  // reserved (RFC 1112) and broadcast
    ]
}
