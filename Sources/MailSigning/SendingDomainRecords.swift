package import MailTypes

/// The DNS records that let a domain send mail through this service, ready to paste.
///
///     let advice = SendingDomainRecords(domain: domain, keys: [("s1", key.dnsRecord)], mailHost: host, …)
///     for record in advice.records { print(record.zoneFileLine) }
package struct SendingDomainRecords: Sendable, Hashable {
    package let domain: DomainName
    /// The domain of the return path (MAIL FROM), below `domain`, so that SPF aligns with From under DMARC's relaxed
    /// rule (RFC 7489 §3.1.2).
    package let returnPathDomain: DomainName
    package let records: [DNSRecordAdvice]

    /// - Parameters:
    ///   - keys: selector and key record (`DKIMKey.dnsRecord`) of each key.
    ///   - mailHost: the host that takes bounces for the return-path domain.
    ///   - returnPathLabel: the label of the return-path domain below `domain`.
    ///   - sourceAddresses: the addresses that mail leaves from.
    ///   - includedDomains: domains whose SPF records list more such addresses. RFC 7208 §4.6.4 allows ten look-ups.
    ///   - reportAddress: where DMARC reports go; without one, none are asked for.
    /// - Throws: `AddressError` if the label makes the return-path domain invalid.
    package init(
        domain: DomainName, keys: [(selector: String, record: String)], mailHost: DomainName,
        returnPathLabel: String = "bounce", sourceAddresses: [IPAddress] = [], includedDomains: [DomainName] = [],
        reportAddress: EmailAddress? = nil
    ) throws(AddressError) {
        self.domain = domain
        returnPathDomain = try DomainName(returnPathLabel + "." + domain.text)
        var records = keys.map { selector, record in
            DNSRecordAdvice(
                purpose: .dkim, name: "\(selector)._domainkey.\(domain)", type: "TXT", value: record)
        }
        records.append(
            DNSRecordAdvice(
                purpose: .spf, name: returnPathDomain.text, type: "TXT",
                value: Self.senderPolicy(sourceAddresses, includedDomains)))
        records.append(
            DNSRecordAdvice(
                purpose: .returnPath, name: returnPathDomain.text, type: "MX", value: "10 \(mailHost)."))
        records.append(
            DNSRecordAdvice(
                purpose: .dmarc, name: "_dmarc.\(domain)", type: "TXT",
                value: "v=DMARC1; p=none" + (reportAddress.map { "; rua=mailto:" + Self.uriText($0) } ?? "")))
        self.records = records
    }

    /// RFC 7208. Without addresses or domains to name, the hosts of the return path's MX stand for them.
    private static func senderPolicy(_ addresses: [IPAddress], _ domains: [DomainName]) -> String {
        var terms = addresses.map { ($0.isVersion6 ? "ip6:" : "ip4:") + $0.description }
        terms += domains.map { "include:\($0)" }
        if terms.isEmpty { terms = ["mx"] }
        return "v=spf1 " + terms.joined(separator: " ") + " -all"
    }

    /// A `mailto` URI's address: besides what RFC 6068 asks to be encoded, the comma, semicolon and exclamation mark that
    /// have a meaning in a DMARC record (RFC 7489 §6.2).
    private static func uriText(_ address: EmailAddress) -> String {
        var text = ""
        for byte in address.localPart.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "+"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text + "@" + address.domain.text
    }
}
