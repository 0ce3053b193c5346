/// What a server offers in its answer to EHLO (RFC 5321 §4.1.1.1), as far as Sluice uses it. Keywords that it does not
/// know are passed over.
package struct SMTPExtensions: Sendable, Hashable {
    /// RFC 2920
    package var pipelining = false
    /// RFC 1870. `nil`: not offered. 0: offered without a fixed bound.
    package var size: Int?
    /// RFC 6152
    package var eightBitMIME = false
    /// RFC 6531
    package var smtpUTF8 = false
    /// RFC 2034
    package var enhancedStatusCodes = false
    /// RFC 3207
    package var startTLS = false
    /// RFC 8689
    package var requireTLS = false
    /// RFC 4954
    package var auth: AuthMechanisms = []

    package struct AuthMechanisms: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// RFC 4616
        package static let plain = AuthMechanisms(rawValue: 1)
        /// draft-murchison-sasl-login
        package static let login = AuthMechanisms(rawValue: 2)
    }

    /// What can be left out of what a server offers.
    package enum Keyword: String, Sendable, Hashable, CaseIterable {
        case pipelining = "PIPELINING"
        case size = "SIZE"
        case eightBitMIME = "8BITMIME"
        case smtpUTF8 = "SMTPUTF8"
        case enhancedStatusCodes = "ENHANCEDSTATUSCODES"
        case startTLS = "STARTTLS"
        case requireTLS = "REQUIRETLS"
        case auth = "AUTH"
    }

    /// Nothing offered, as after HELO.
    package init() {}

    /// - Parameters:
    ///   - reply: a positive answer to EHLO. Its first line is the server's name and not read.
    ///   - ignored: what counts as not offered.
    package init(ehlo reply: SMTPReply, without ignored: Set<Keyword> = []) {
        for line in reply.lines.dropFirst() { read(line) }
        for keyword in ignored { remove(keyword) }
    }

    /// Treats it as not offered.
    package mutating func remove(_ keyword: Keyword) {
        switch keyword {
        case .pipelining: pipelining = false
        case .size: size = nil
        case .eightBitMIME: eightBitMIME = false
        case .smtpUTF8: smtpUTF8 = false
        case .enhancedStatusCodes: enhancedStatusCodes = false
        case .startTLS: startTLS = false
        case .requireTLS: requireTLS = false
        case .auth: auth = []
        }
    }

    /// The most octets that a message may have, if the server named a bound.
    package var maximumSize: Int? {
        guard let size, size > 0 else { return nil }
        return size
    }

    /// The lines of an EHLO answer that offer this, without the first.
    package var keywords: [String] {
        var list: [String] = []
        if pipelining { list.append("PIPELINING") }
        if let size { list.append(size > 0 ? "SIZE \(size)" : "SIZE") }
        if eightBitMIME { list.append("8BITMIME") }
        if smtpUTF8 { list.append("SMTPUTF8") }
        if enhancedStatusCodes { list.append("ENHANCEDSTATUSCODES") }
        if startTLS { list.append("STARTTLS") }
        if requireTLS { list.append("REQUIRETLS") }
        let mechanisms = (auth.contains(.plain) ? " PLAIN" : "") + (auth.contains(.login) ? " LOGIN" : "")
        if !mechanisms.isEmpty { list.append("AUTH" + mechanisms) }
        return list
    }

    private mutating func read(_ line: String) {
        // Servers from before RFC 2554 wrote `AUTH=LOGIN PLAIN`.
        let words = line.uppercased().split(whereSeparator: { $0 == " " || $0 == "=" })
        guard let keyword = words.first else { return }
        switch keyword {
        case "PIPELINING": pipelining = true
        case "SIZE": size = words.count > 1 ? max(0, Int(words[1]) ?? 0) : 0
        case "8BITMIME": eightBitMIME = true
        case "SMTPUTF8": smtpUTF8 = true
        case "ENHANCEDSTATUSCODES": enhancedStatusCodes = true
        case "STARTTLS": startTLS = true
        case "REQUIRETLS": requireTLS = true
        case "AUTH":
            for mechanism in words.dropFirst() {
                if mechanism == "PLAIN" { auth.insert(.plain) }
                if mechanism == "LOGIN" { auth.insert(.login) }
            }
        default: break
        }
    }
}
