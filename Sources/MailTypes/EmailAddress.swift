/// An address to deliver to: the `Mailbox` of RFC 5321 §4.1.2, internationalised by RFC 6531 §3.3, without the forms
/// that no receiver on the Internet takes mail for (address literals, one-label domains).
///
///     let address = try EmailAddress(" Jane.Doe@Example.org\n")
///     address.domain.text       // "example.org"
///     address.normalised        // "jane.doe@example.org"
///
/// White space and invisible characters around the text are dropped: they come with what people copy. Inside they are
/// refused, because they would make another mailbox that nobody can see. Dots in odd places (`first..last`, `last.`),
/// which some carriers have given out, are taken and quoted.
///
/// Its description hides the address; use `text` where it is meant to be read.
package struct EmailAddress: Hashable, Sendable, CustomStringConvertible {
    /// In its plainest spelling, quoted only where it must be (RFC 5321 §4.1.2): `"Jane"` is kept as `Jane`, and
    /// `first..last` as `"first..last"`. Case is kept: it belongs to the receiver.
    package let localPart: String
    package let domain: DomainName

    package init(_ text: some StringProtocol) throws(AddressError) {
        try self.init(utf8: Array(text.utf8)[...])
    }

    package init(utf8 bytes: ArraySlice<UInt8>) throws(AddressError) {
        let bytes = InvisibleCharacters.trimmed(bytes)
        guard !bytes.isEmpty else { throw .empty }
        // A CR or LF in an address could end the command it stands in, so this comes before all else.
        let at = bytes.lastIndex(of: UInt8(ascii: "@"))
        if let control = bytes.firstIndex(where: { $0 < 0x20 || $0 == 0x7F }) {
            throw .character(Unicode.Scalar(bytes[control]), control < at ?? bytes.endIndex ? .localPart : .domain)
        }
        guard let at else { throw .noDomain }
        guard at > bytes.startIndex else { throw .noLocalPart }
        localPart = try LocalPart.plainest(bytes[..<at])
        guard bytes.count <= MailLimits.addressOctets else { throw .tooLong }
        domain = try DomainName(utf8: bytes[(at + 1)...])
        guard localPart.utf8.count + 1 + domain.text.utf8.count <= MailLimits.addressOctets else { throw .tooLong }
    }

    /// The address whose parts these are, as they were when they were written down.
    package init(localPart: String, domain: DomainName) throws(AddressError) {
        let octets = localPart.utf8.count + 1 + domain.text.utf8.count
        guard LocalPart.isPlain(localPart.utf8), octets <= MailLimits.addressOctets else {
            self = try EmailAddress(localPart + "@" + domain.text)
            return
        }
        self.init(plain: localPart, domain)
    }

    private init(plain localPart: String, _ domain: DomainName) {
        self.localPart = localPart
        self.domain = domain
    }

    /// The address as SMTP and headers carry it.
    package var text: String { localPart + "@" + domain.text }

    /// What two addresses must share to count as the same recipient, for duplicates and suppressions: both sides in
    /// lower case, composed. Receivers may tell case apart (RFC 5321 §2.4); none of note does, and mailing twice is
    /// worse.
    package var normalised: String {
        let local = needsSMTPUTF8 ? localPart.composed.lowercased().composed : localPart.lowercased()
        return local + "@" + domain.text
    }

    /// Whether the receiver must offer SMTPUTF8 (RFC 6531 §3.1).
    package var needsSMTPUTF8: Bool { !localPart.utf8.allSatisfy { $0 < 0x80 } }

    /// The local part without its quotes and backslashes, as its server may speak of it.
    package var bareLocalPart: String { LocalPart.content(localPart) }

    package var description: String { "<redacted>@\(domain)" }
}
