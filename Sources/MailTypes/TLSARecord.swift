/// A TLSA record (RFC 6698 §2.1): what a certificate of a host must look like.
package struct TLSARecord: Sendable, Hashable {
    package enum Usage: UInt8, Sendable, Hashable {
        /// DANE-TA: the record names an issuer in the server's chain.
        case trustAnchor = 2
        /// DANE-EE: the record names the server's own certificate.
        case endEntity = 3
    }

    package enum Selector: UInt8, Sendable, Hashable {
        case certificate = 0
        /// SubjectPublicKeyInfo
        case publicKey = 1
    }

    package enum Matching: UInt8, Sendable, Hashable {
        case exact = 0
        case sha256 = 1
        case sha512 = 2
    }

    package let usage: Usage
    package let selector: Selector
    package let matching: Matching
    /// What is selected, in DER, or its digest.
    package let data: [UInt8]

    package init(_ usage: Usage, _ selector: Selector, _ matching: Matching, _ data: [UInt8]) {
        self.usage = usage
        self.selector = selector
        self.matching = matching
        self.data = data
    }

    /// Reads a record's data in wire form.
    ///
    /// - Returns: nil for what is unusable for SMTP (RFC 7672 §3.1): usages 0 and 1, whose authorities no mail client
    ///   shares with the server, numbers not assigned, and data whose length cannot be right.
    package init?(wire bytes: [UInt8]) {
        guard bytes.count > 3, let usage = Usage(rawValue: bytes[0]), let selector = Selector(rawValue: bytes[1]),
            let matching = Matching(rawValue: bytes[2])
        else { return nil }
        let data = Array(bytes[3...])
        switch matching {
        case .exact: break
        case .sha256: guard data.count == 32 else { return nil }
        case .sha512: guard data.count == 64 else { return nil }
        }
        self.init(usage, selector, matching, data)
    }
}

extension TLSARecord: CustomStringConvertible {
    /// As in a master file: `3 1 1 0b9f…`.
    package var description: String {
        let digits = Array("0123456789abcdef".utf8)
        let text = data.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return "\(usage.rawValue) \(selector.rawValue) \(matching.rawValue) \(String(decoding: text, as: UTF8.self))"
    }
}
