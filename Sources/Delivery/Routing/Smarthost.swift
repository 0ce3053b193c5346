package import MailTypes
package import SMTPProtocol
package import SMTPTransport
package import TrafficShaping

/// A server that takes mail and passes it on, of all domains or of those that name it; or a sink.
package struct Smarthost: Sendable, Hashable {
    /// A name or an address; what its certificate must name.
    package let host: String
    package let port: Int
    /// Where it is reached: found by the caller, one or more.
    package var addresses: [IPAddress]
    package var credentials: SMTPCredentials?
    /// Nil: ``DeliveryConfiguration/tls``.
    package var tls: SMTPTLSPolicy?
    /// TLS begins with the connection (RFC 8314 §3.3). Only with a policy that demands TLS.
    package var startsWithTLS = false
    /// Its share of the mail among the smarthosts, 1…1,000.
    package var weight = 1
    /// At once; nil: those of ``DeliveryConfiguration/smarthostLimits``.
    package var connections: Int?
    /// It takes the mail of those domains only whose rules name it.
    package var isOnlyNamed = false
    /// Which of its addresses are connected to.
    package var family = AddressFamily.any

    /// - Parameter addresses: left out where `host` is an address.
    package init(host: String, port: Int, addresses: [IPAddress]? = nil, credentials: SMTPCredentials? = nil) {
        self.host = host
        self.port = port
        self.addresses = addresses ?? IPAddress(host).map { [$0] } ?? []
        self.credentials = credentials
    }

    /// As operators name it, such as `smtp.example.net:587`.
    package var name: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension Smarthost {
    var targets: [SMTPTarget] {
        addresses.map { SMTPTarget(host: host, address: $0, port: port, tls: tls) }
    }

    /// Whether connections are made in the same way; shares and limits may differ.
    func connectsLike(_ other: Self) -> Bool {
        var alike = self
        (alike.weight, alike.connections) = (other.weight, other.connections)
        (alike.isOnlyNamed, alike.family) = (other.isOnlyNamed, other.family)
        return alike == other
    }

    /// The same smarthost as it was read anew. Name servers turn their answers round.
    func following(_ new: Self) -> Self {
        var new = new
        if Set(new.addresses) == Set(addresses) { new.addresses = addresses }
        return new
    }
}
