package import MailTypes

/// Where a host listens, whatever its name is and whatever is asked of it.
package struct SMTPEndpoint: Sendable, Hashable {
    package let address: IPAddress
    package let port: Int

    package init(address: IPAddress, port: Int) {
        self.address = address
        self.port = port
    }
}

/// One address of one mail host.
package struct SMTPTarget: Sendable, Hashable {
    /// The host's name, for TLS and logs; its address in text where it has no name.
    package let host: String
    /// Where to connect: the very address that was checked, so that no second look-up can change it.
    package let address: IPAddress
    package let port: Int
    /// The lower, the sooner it is tried; hosts of equal preference share the connections (RFC 5321 §5.1).
    package let preference: Int
    /// What protection this host must have; nil: what the client's configuration says for all.
    package let tls: SMTPTLSPolicy?

    /// - Parameter port: 1…65535; anything else is a bug of the caller and stops the program.
    package init(
        host: String, address: IPAddress, port: Int = 25, preference: Int = 0, tls: SMTPTLSPolicy? = nil
    ) {
        precondition((1...65_535).contains(port), "a port is 1…65535")
        self.host = host
        self.address = address
        self.port = port
        self.preference = preference
        self.tls = tls
    }

    package var endpoint: SMTPEndpoint { SMTPEndpoint(address: address, port: port) }

    /// What to send as the server name of a TLS handshake: nothing for an address (RFC 6066 §3).
    var serverName: String? {
        if case .dane(let policy) = tls { return policy.baseName }
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        return name.isEmpty || IPAddress(name) != nil ? nil : name
    }
}

extension SMTPTarget: CustomStringConvertible {
    package var description: String { "\(host)[\(address)]:\(port)" }
}
