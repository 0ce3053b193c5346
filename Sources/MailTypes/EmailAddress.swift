/// An address to deliver to: the `Mailbox` of RFC 5321 §4.1.2, internationalised by RFC 6531 §3.3, without the forms
/// that no receiver on the Internet takes mail for (address literals, one-label domains).
///
///     let address = try EmailAddress("Jane.Doe@Example.org")
///     address.domain.text       // "example.org"
///     address.normalised        // "jane.doe@example.org"
///
/// Its description hides the address; use `text` where it is meant to be read.
package struct EmailAddress: Hashable, Sendable, CustomStringConvertible {
    /// As written, with quotes where it had them. Case is kept: it belongs to the receiver.
    package let localPart: String
    package let domain: DomainName

    package init(_ text: some StringProtocol) throws(AddressError) {
        try self.init(utf8: Array(text.utf8)[...])
    }

    package init(utf8 bytes: ArraySlice<UInt8>) throws(AddressError) {
        guard !bytes.isEmpty else { throw .empty }
        // A CR or LF in an address could end the command it stands in, so this comes before all else.
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { throw .controlCharacter }
        guard let at = bytes.lastIndex(of: UInt8(ascii: "@")) else { throw .noDomain }
        let local = bytes[..<at]
        guard !local.isEmpty else { throw .noLocalPart }
        guard local.count <= MailLimits.localPartOctets else { throw .localPartTooLong }
        guard bytes.count <= MailLimits.addressOctets else { throw .tooLong }
        if local.first == UInt8(ascii: "\"") {
            try Self.checkQuoted(local)
        } else {
            try Self.checkDotAtom(local)
        }
        guard let text = String(validating: local, as: UTF8.self) else { throw .invalidCharacter }
        // C1 controls would pass as UTF-8.
        guard !text.unicodeScalars.contains(where: { (0x80...0x9F).contains($0.value) }) else {
            throw .controlCharacter
        }
        localPart = text
        domain = try DomainName(utf8: bytes[(at + 1)...])
        guard localPart.utf8.count + 1 + domain.text.utf8.count <= MailLimits.addressOctets else { throw .tooLong }
    }

    /// The address as SMTP and headers carry it.
    package var text: String { localPart + "@" + domain.text }

    /// What two addresses must share to count as the same recipient, for duplicates and suppressions: both sides in
    /// lower case, composed, without quotes that change nothing. Receivers may tell case apart (RFC 5321 §2.4); none of
    /// note does, and mailing twice is worse. Quotes only spell the same mailbox differently (RFC 5321 §4.1.2).
    package var normalised: String {
        var local = localPart
        if local.utf8.first == UInt8(ascii: "\"") { local = Self.unquoted(local) }
        if needsSMTPUTF8 { local = local.composed.lowercased().composed } else { local = local.lowercased() }
        return local + "@" + domain.text
    }

    /// Whether the receiver must offer SMTPUTF8 (RFC 6531 §3.1).
    package var needsSMTPUTF8: Bool { !localPart.utf8.allSatisfy { $0 < 0x80 } }

    package var description: String { "<redacted>@\(domain)" }

    /// The local part in its shortest spelling: bare where its content is a dot-atom, else with no needless backslash.
    private static func unquoted(_ local: String) -> String {
        var content: [UInt8] = []
        var escaped = false
        for byte in local.utf8.dropFirst().dropLast() {
            if byte == UInt8(ascii: "\\"), !escaped {
                escaped = true
            } else {
                content.append(byte)
                escaped = false
            }
        }
        if (try? checkDotAtom(content[...])) != nil { return String(decoding: content, as: UTF8.self) }
        var quoted = [UInt8(ascii: "\"")]
        for byte in content {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { quoted.append(UInt8(ascii: "\\")) }
            quoted.append(byte)
        }
        return String(decoding: quoted + [UInt8(ascii: "\"")], as: UTF8.self)
    }

    private static func checkDotAtom(_ local: ArraySlice<UInt8>) throws(AddressError) {
        var afterDot = true
        for byte in local {
            switch byte {
            case UInt8(ascii: "."):
                guard !afterDot else { throw .invalidCharacter }
                afterDot = true
                continue
            case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, 0x80...0xFF: break
            case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
                UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "/"),
                UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"),
                UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"), UInt8(ascii: "~"):
                break
            default: throw .invalidCharacter
            }
            afterDot = false
        }
        guard !afterDot else { throw .invalidCharacter }
    }

    private static func checkQuoted(_ local: ArraySlice<UInt8>) throws(AddressError) {
        guard local.count >= 2, local.last == UInt8(ascii: "\"") else { throw .invalidCharacter }
        var escaped = false
        for byte in local.dropFirst().dropLast() {
            if escaped {
                // A backslash quotes ASCII only (RFC 5321 §4.1.2, quoted-pairSMTP).
                guard byte < 0x80 else { throw .invalidCharacter }
                escaped = false
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
            } else if byte == UInt8(ascii: "\"") {
                throw .invalidCharacter
            }
        }
        guard !escaped else { throw .invalidCharacter }
    }
}

/// Why a text is not an address that mail can be sent to.
package enum AddressError: String, Error, Sendable, Hashable, CustomStringConvertible {
    case empty = "the address is empty"
    case noDomain = "the address has no domain"
    case noLocalPart = "nothing stands before the @"
    case localPartTooLong = "more than 64 octets stand before the @"
    case domainTooLong = "the domain or one of its labels is too long"
    case tooLong = "the address is longer than 254 octets"
    case emptyLabel = "the domain has an empty label"
    case domainHasOneLabel = "the domain has no dot"
    case domainIsAddressLiteral = "the domain is an IP address"
    case controlCharacter = "the address holds a control character"
    case invalidCharacter = "the address holds a character that is not allowed there"

    package var description: String { rawValue }

    /// A stable name for programs, such as `no_domain`.
    package var code: String {
        switch self {
        case .empty: "address_empty"
        case .noDomain: "address_no_domain"
        case .noLocalPart: "address_no_local_part"
        case .localPartTooLong, .domainTooLong, .tooLong: "address_too_long"
        case .emptyLabel, .domainHasOneLabel: "address_bad_domain"
        case .domainIsAddressLiteral: "address_ip_literal"
        case .controlCharacter: "address_control_character"
        case .invalidCharacter: "address_invalid_character"
        }
    }
}
