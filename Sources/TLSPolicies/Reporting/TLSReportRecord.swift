import Foundation
package import MailTypes

/// Where a domain wants reports about TLS to go: its `_smtp._tls` TXT record (RFC 8460 §3).
package struct TLSReportRecord: Sendable, Hashable {
    package enum Address: Sendable, Hashable {
        case mail(EmailAddress)
        /// An `https` URL to POST to.
        case https(String)
    }

    /// Addresses that are kept; more would make a mail cannon of us.
    package static let maximumAddresses = 8

    /// One or more.
    package let addresses: [Address]

    /// - Parameter texts: all TXT records of `_smtp._tls.<domain>`.
    /// - Returns: nil unless exactly one is a record of this version and names an address that can be used.
    package init?(texts: [String]) {
        let records = texts.filter { TagList.starts($0, with: "TLSRPTv1") }
        guard records.count == 1, let rua = TagList(records[0])?["rua"] else { return nil }
        var addresses: [Address] = []
        for text in rua.split(separator: ",") {
            guard let address = Self.address(text.trimmingBlanks), !addresses.contains(address) else { continue }
            addresses.append(address)
        }
        guard !addresses.isEmpty else { return nil }
        self.addresses = Array(addresses.prefix(Self.maximumAddresses))
    }

    private static func address(_ uri: Substring) -> Address? {
        guard uri.utf8.count <= 2_048, uri.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            let colon = uri.firstIndex(of: ":")
        else { return nil }
        let rest = uri[uri.index(after: colon)...]
        switch uri[..<colon].lowercased() {
        case "mailto":
            let path = rest.prefix { $0 != "?" }
            guard let text = String(path).removingPercentEncoding, let address = try? EmailAddress(text),
                !address.needsSMTPUTF8
            else {
                return nil
            }
            return .mail(address)
        case "https":
            guard rest.hasPrefix("//"), rest.count > 2, rest.dropFirst(2).first != "/" else { return nil }
            return .https(String(uri))
        default: return nil
        }
    }
}
