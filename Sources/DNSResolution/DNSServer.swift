package import MailTypes

/// A recursive name server to forward questions to.
///
/// Text forms: `192.0.2.53`, `192.0.2.53:5353`, `192.0.2.53@5353`, `2001:db8::53`, `2001:db8::53@5353`,
/// `[2001:db8::53]:5353`.
package struct DNSServer: Sendable, Hashable, CustomStringConvertible {
    package let address: IPAddress
    /// 1…65535, 53 as a rule.
    package let port: Int

    package init?(address: IPAddress, port: Int = 53) {
        guard (1...65535).contains(port) else { return nil }
        self.address = address
        self.port = port
    }

    package init?(_ text: String) {
        var host = text[...]
        var port = "53"[...]
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" || rest.first == "@", host.contains(":") else { return nil }
            if !rest.isEmpty { port = rest.dropFirst() }
        } else if let at = text.firstIndex(of: "@") {
            host = text[..<at]
            port = text[text.index(after: at)...]
        } else if let colon = text.firstIndex(of: ":"), text.lastIndex(of: ":") == colon {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard let address = IPAddress(host), port.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(port)
        else { return nil }
        self.init(address: address, port: number)
    }

    package var description: String { address.isVersion6 ? "[\(address)]:\(port)" : "\(address):\(port)" }

    /// libunbound's form.
    var unboundText: String { "\(address)@\(port)" }
}
