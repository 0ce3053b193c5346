import MailTypes

/// Whose requests are counted together: an IPv4 address, or the 64 bits of an IPv6 network, of which one subscriber has
/// all addresses.
struct ClientNetwork: Hashable, Sendable {
    /// Four octets, or the first eight of sixteen; none where it is not known.
    private let octets: [UInt8]

    static let unknown = ClientNetwork(octets: [])

    private init(octets: [UInt8]) { self.octets = octets }

    /// - Parameters:
    ///   - peer: the address of the connection's other end; nil for a socket without one
    ///   - forwardedFor: the X-Forwarded-For field. Its last entry counts where the peer has a private address: then a
    ///     proxy of the operator's stands in between. Anybody else could write anything there.
    init(peer: String?, forwardedFor: String?) {
        guard let direct = peer.flatMap({ IPAddress($0) }) else {
            self = .unknown
            return
        }
        guard Self.isPrivate(direct), let last = forwardedFor?.split(separator: ",").last else {
            self.init(direct)
            return
        }
        self.init(IPAddress(last.filter { !" \t[]".contains($0) }) ?? direct)
    }

    private init(_ address: IPAddress) {
        octets = Self.unmapped(address.bytes).count == 4 ? Self.unmapped(address.bytes) : Array(address.bytes.prefix(8))
    }

    /// An IPv4 address that a socket of IPv6 has (RFC 4291 §2.5.5.2).
    private static func unmapped(_ bytes: [UInt8]) -> [UInt8] {
        let prefix = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
        return bytes.count == 16 && bytes.starts(with: prefix) ? Array(bytes[12...]) : bytes
    }

    /// Loopback, private use (RFC 1918), unique local (RFC 4193) and link-local addresses.
    private static func isPrivate(_ address: IPAddress) -> Bool {
        let bytes = unmapped(address.bytes)
        guard bytes.count == 4 else {
            return address.isLoopback || bytes[0] & 0xFE == 0xFC || (bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80)
        }
        return switch (bytes[0], bytes[1]) {
        case (10, _), (127, _), (192, 168): true
        case (172, 16...31): true
        default: false
        }
    }
}
