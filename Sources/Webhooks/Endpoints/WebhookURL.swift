import Foundation
package import MailTypes

/// The address of an endpoint, checked and in the very form in which it is requested: no second reader of URLs can find
/// another host in it.
package struct WebhookURL: Sendable, Hashable {
    package enum Host: Sendable, Hashable {
        case name(String)
        case address(IPAddress)
    }

    package let isSecure: Bool
    package let host: Host
    package let port: Int
    /// With the query.
    package let path: String

    /// - Parameter allowsPrivate: takes `http`, private addresses and `localhost`.
    /// - Throws: ``WebhookError`` `.invalidURL`, `.privateDestination`
    package init(_ text: String, allowsPrivate: Bool) throws(WebhookError) {
        guard text.utf8.count <= WebhookLimits.urlOctets else {
            throw WebhookError(.invalidURL, "an address has at most \(WebhookLimits.urlOctets) bytes")
        }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), let parts = URLComponents(string: text),
            let scheme = parts.scheme?.lowercased(), let found = parts.encodedHost?.lowercased(), !found.isEmpty
        else { throw WebhookError(.invalidURL, "this is not an address of the form https://host/path") }
        guard scheme == "https" || allowsPrivate && scheme == "http" else {
            throw WebhookError(.invalidURL, "an address begins with https://")
        }
        guard parts.user == nil, parts.password == nil, parts.fragment == nil else {
            throw WebhookError(.invalidURL, "an address holds no user, password or fragment")
        }
        isSecure = scheme == "https"
        port = parts.port ?? (isSecure ? 443 : 80)
        guard (1...65_535).contains(port) else { throw WebhookError(.invalidURL, "there is no such port") }
        host = try Self.host(found, allowsPrivate: allowsPrivate)
        let query = parts.percentEncodedQuery.map { "?" + $0 } ?? ""
        path = (parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath) + query
    }

    private static func host(_ text: String, allowsPrivate: Bool) throws(WebhookError) -> Host {
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        if let address = IPAddress(bare) {
            guard allowsPrivate || address.isGlobal else {
                throw WebhookError(.privateDestination, "the address is not one of the public Internet")
            }
            return .address(address)
        }
        if text == "localhost" {
            guard allowsPrivate else {
                throw WebhookError(.privateDestination, "the address is not one of the public Internet")
            }
            return .name(text)
        }
        guard let name = try? DomainName(text) else { throw WebhookError(.invalidURL, "the host is not a name") }
        return .name(name.text)
    }

    /// What goes into the request's line and its Host field.
    package var text: String {
        let standard = isSecure ? 443 : 80
        return (isSecure ? "https://" : "http://") + hostText + (port == standard ? "" : ":\(port)") + path
    }

    var hostText: String {
        switch host {
        case .name(let name): name
        case .address(let address): address.isVersion6 ? "[\(address)]" : "\(address)"
        }
    }
}
