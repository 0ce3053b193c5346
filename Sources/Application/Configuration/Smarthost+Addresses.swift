import Delivery
import Foundation
import MailTypes
import TrafficShaping

extension Smarthost {
    /// The route is the operator's own word, so private addresses are fine. They are looked up at the start and at each
    /// reload; the thread waits for the answer.
    func resolved(setting: Setting) throws(SettingError) -> Smarthost {
        guard addresses.isEmpty else { return self }
        var route = self
        let addresses = Self.addresses(of: host)
        route.addresses = family.choice(of: addresses)
        guard !route.addresses.isEmpty else {
            let kind = addresses.isEmpty ? "address" : "\(family.name) address"
            throw SettingError(setting: setting, problem: "\(host) has no \(kind)")
        }
        return route
    }

    /// All of them, in the order in which the system would try them (RFC 6724).
    private static func addresses(of host: String) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [IPAddress] = []
        for entry in sequence(first: list, next: { $0?.pointee.ai_next }).compactMap(\.self) {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            let octets = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            guard status == 0, let address = IPAddress(String(decoding: octets, as: UTF8.self)),
                !addresses.contains(address), addresses.count < maximumAddresses
            else { continue }
            addresses.append(address)
        }
        return addresses
    }

    private static let maximumAddresses = 16
}
